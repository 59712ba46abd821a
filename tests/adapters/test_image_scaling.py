"""Images in another scale than the module's: refused by what the whole set shows, never by one batch; on record."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  (needs torch)

from fairness_checks import audit, predictions_from_autoencoder  # noqa: E402
from fairness_checks.adapters.image_scaling import SCALINGS  # noqa: E402
from fairness_checks.errors import InvalidPredictions  # noqa: E402
from fairness_checks.records.check_record import CheckRecord  # noqa: E402
from fairness_checks.report.text import explanation, inputs_text  # noqa: E402

ROWS = 40
TONE = np.repeat(["dark", "light"], ROWS // 2)


class Through(nn.Module):
    """Gives each image back as a perfect autoencoder of its scale would: within its range there is no error."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.function(x * self.weight)


class Linear(nn.Module):
    """A linear decoder behind a code, with weights that give the pixels back and a bias."""

    def __init__(self, slope=1.0, bias=0.0) -> None:
        super().__init__()
        self.decoder = nn.Conv2d(3, 3, 1)
        self.decoder.weight.data = slope * torch.eye(3)[:, :, None, None]
        self.decoder.bias.data.fill_(bias)

    def forward(self, x):
        return self.decoder(x)


def sigmoid(x):
    return torch.sigmoid(torch.logit(x, eps=1e-6))


def tanh(x):
    return torch.tanh(torch.atanh(x.clamp(-1 + 1e-6, 1 - 1e-6)))


@pytest.fixture(scope="module")
def pixels():
    """Half of them dark, half of them light, neither with a pixel of the other's range."""
    rng = np.random.default_rng(0)
    dark, light = (rng.integers(low, low + 100, (ROWS // 2, 3, 6, 5), dtype=np.uint8) for low in (10, 140))
    return np.concatenate([dark, light])


def judged(module, images, **arguments):
    return predictions_from_autoencoder(module, images, sensitive_features={"tone": TONE}, **arguments)


def refused(message, module, images, **arguments):
    with pytest.raises(InvalidPredictions, match=message):
        judged(module, images, **arguments)


# --- what is said


def test_whole_numbers_need_a_scale(pixels):
    refused(
        r'^images: dtype torch\.uint8, and nothing says in which scale .*: write scaling="\[0, 1\]" \(as .*\), '
        r'scaling="\[-1, 1\]", scaling="as given" \(0 to 255\) or a transform$',
        Linear(),
        pixels,
    )
    refused(r'^images: dtype torch\.int16, and nothing .* write scaling="as given"', Linear(), pixels.astype(np.int16))
    refused(r"^images: dtype torch\.int16, and scaling='\[0, 1\]'", Linear(), pixels.astype(np.int16), scaling="[0, 1]")
    refused(r"^images: dtype torch\.complex64; give uint8", Linear(), torch.from_numpy(pixels) * 1j)


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64, np.float16])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_pixels_are_scaled_as_it_is_said_whatever_their_dtype(pixels, scaling, kind):
    divisor, offset = SCALINGS[scaling]
    expected = pixels.astype(float) / divisor + offset
    found = judged(Linear(slope=0.5, bias=-0.1), pixels.astype(kind), scaling=scaling)
    rtol = 1e-2 if kind == np.float16 else 1e-4
    np.testing.assert_allclose(found.error, ((expected / 2 + 0.1) ** 2).mean(axis=(1, 2, 3)) ** 0.5, rtol=rtol)
    assert found.scaling == scaling


def test_masks_and_other_whole_numbers_are_taken_as_they_are(pixels):
    masks = pixels > 128
    np.testing.assert_allclose(judged(Linear(0.5), masks).error, masks.mean(axis=(1, 2, 3)) ** 0.5 / 2, rtol=1e-5)
    counts = judged(Linear(0.5), pixels.astype(np.int32), scaling="as given")
    np.testing.assert_allclose(counts.error, (pixels.astype(float) ** 2).mean(axis=(1, 2, 3)) ** 0.5 / 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scaling": "[0,1]"}, r"^scaling: '\[0,1\]'; did you mean '\[0, 1\]'"),
        ({"scaling": 255}, r"^scaling: 255; "),
        ({"scaling": "[0, 1]", "transform": torch.sigmoid}, r"^scaling: '\[0, 1\]' beside a transform"),
        ({"transform": "x / 255"}, r"^transform: 'x / 255' is not callable"),
        (
            {"transform": lambda x: x.no_such_method()},
            r"^transform: failed for images 0 to 39 \(Tensor of .*, torch\.uint8\): AttributeError: ",
        ),
    ],
)
def test_what_says_no_scale_is_refused(pixels, arguments, message):
    refused(message, Linear(), pixels, **arguments)


WORDS = {
    "[-1, 1]": "images: scaled to [-1, 1]",
    "[0, 1]": "images: scaled to [0, 1]",
    "as given": "images: as given",
    "transform": "images: scaled by a transform",
}


@pytest.mark.parametrize("scaling", WORDS)
def test_the_record_and_its_texts_say_the_scale(pixels, scaling):
    given = {"transform": lambda x: x.float() / 100} if scaling == "transform" else {"scaling": scaling}
    found = judged(Linear(0.5), pixels, **given)
    record = audit(found, metric="mean_squared_error", by="tone", max_difference=1.0)
    assert record.inputs.scaling == scaling
    assert CheckRecord.from_json(record.to_json()) == record
    assert inputs_text(record) == WORDS[scaling]
    assert WORDS[scaling] in "\n".join(explanation(record))


# --- what the numbers show


def test_a_perfect_module_behind_a_sigmoid_is_not_judged_by_the_scale_of_its_images(pixels):
    perfect = Through(sigmoid)
    right = judged(perfect, pixels, scaling="[0, 1]")
    assert right.error.max() < 1e-5
    by_hand = np.minimum(pixels / 127.5 - 1, 0) ** 2  # what it would have been judged by
    assert by_hand[TONE == "dark"].mean() > 0.25 > 1e-3 > by_hand[TONE == "light"].mean()
    refused(
        r"^Through: all reconstructions stay in \[0, 1\], as behind a sigmoid, and 20 of 40 images leave \[0, 1\] \(ro"
        r"ws 0, 1, 2, 3, 4, \.\.\. \(by position, from 0\)\): scaled to \[-1, 1\] images reach from -0\.92\d+ to "
        r"0\.87\d+, which no "
        r'reconstruction can; if the module was trained on images in \[0, 1\], write scaling="\[0, 1\]"$',
        perfect,
        pixels,
        scaling="[-1, 1]",
    )


SIGMOIDS = {
    "sigmoid": sigmoid,
    "clamp": lambda x: x.clamp(0, 1),
    "clamp in place": lambda x: x.mul(1).clamp_(0, 1),
    "hard sigmoid": lambda x: nn.functional.hardsigmoid(x * 6 - 3),
    "minimum and maximum": lambda x: torch.maximum(torch.minimum(x, x * 0 + 1), x * 0),
    "scaled tanh": lambda x: 0.5 * tanh((2 * x - 1).clamp(-1, 1)) + 0.5,
    "two of them": lambda x: torch.stack([sigmoid(x), x.clamp(0, 1)]).mean(0),
    "without a graph": torch.no_grad()(sigmoid),
    "reshaped": lambda x: sigmoid(x).flatten(1).reshape(x.shape),
}
OTHER_SCALES = {
    "[-1, 1]": (lambda x: x / 127.5 - 1, r"give them in \[0, 1\]$"),
    "0 to 255": (lambda x: x * 1.0, r'write scaling="\[0, 1\]"$'),
    "standardised": (lambda x: (x - x.mean()) / x.std(), r"give them in \[0, 1\]$"),
    "12 bits": (lambda x: x * 16.0, r"give them in \[0, 1\]$"),
}


@pytest.mark.parametrize("scale", OTHER_SCALES)
@pytest.mark.parametrize("kind", SIGMOIDS)
def test_images_that_leave_the_range_of_all_reconstructions_are_refused(pixels, kind, scale):
    into, remedy = OTHER_SCALES[scale]
    images = into(pixels.astype(np.float32))
    module = Through(SIGMOIDS[kind])
    message = rf"^Through: .*if the module was trained on images in \[0, 1\], {remedy}"
    for batch_size in (1, 7, 64):
        refused(message, module, images, batch_size=batch_size)
    refused(r"let the transform give them in \[0, 1\]$", module, pixels, transform=lambda x: into(x.float()))
    assert judged(module, pixels.astype(np.float32) / 255).error.max() < 1e-2


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["dark first", "light first"])
@pytest.mark.parametrize("dark", [1, 3, 20])
def test_the_whole_set_decides_however_few_images_tell(pixels, order, dark):
    some = np.concatenate([pixels[:dark], pixels[20:]])[order]
    tone = {"tone": np.repeat(["dark", "light"], [dark, 20])[order]}
    for batch_size in (1, 64):
        with pytest.raises(InvalidPredictions, match=rf"and {dark} of {dark + 20} images leave \[0, 1\]"):
            predictions_from_autoencoder(
                Through(sigmoid), some, sensitive_features=tone, scaling="[-1, 1]", batch_size=batch_size
            )


MADE_BY = {  # what the module makes of what it is given; what it should return
    "images / 255": (lambda x: x / 255, "as given", "255 * reconstruction"),
    "images / 127.5 - 1": (lambda x: x / 127.5 - 1, "as given", "127.5 * (reconstruction + 1)"),
    "2 * images - 1": (lambda x: 2 * x - 1, "[0, 1]", "(reconstruction + 1) / 2"),
    "(images + 1) / 2": (lambda x: (x + 1) / 2, "[-1, 1]", "2 * reconstruction - 1"),
    "255 * images": (lambda x: x * 255, "[0, 1]", "reconstruction / 255"),
    "127.5 * (images + 1)": (lambda x: (x + 1) * 127.5, "[-1, 1]", "reconstruction / 127.5 - 1"),
}


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("words", MADE_BY)
def test_a_reconstruction_in_another_scale_than_the_images_is_refused(pixels, words, noise):
    function, scaling, back = MADE_BY[words]

    def noisy(x):
        return function(x + noise * x.std() * torch.randn_like(x))

    message = rf"^Through: the reconstruction is not .* from {re.escape(words)} and .*; return {re.escape(back)},"
    refused(message, Through(noisy), pixels, scaling=scaling)


FINE = {  # models of any quality, in the scale of their images
    "linear": (Linear(), "[-1, 1]"),
    "linear, faint": (Linear(0.5), "[-1, 1]"),
    "linear, of bytes": (Linear(0.9, 3.0), "as given"),
    "linear, the same grey for all": (Linear(0.0, 0.2), "[-1, 1]"),
    "linear, far below": (Linear(1.0, -0.6), "[0, 1]"),
    "nothing learned": (Linear(0.02, 0.5), "[0, 1]"),
    "sigmoid": (Through(sigmoid), "[0, 1]"),
    "sigmoid, the same grey for all": (Through(lambda x: torch.sigmoid(0 * x)), "[0, 1]"),
    "sigmoid, inverted": (Through(lambda x: 1 - sigmoid(x)), "[0, 1]"),
    "tanh": (Through(tanh), "[-1, 1]"),
    "tanh, of images in [0, 1]": (Through(tanh), "[0, 1]"),
    "tanh, faint": (Through(lambda x: tanh(x / 3)), "[-1, 1]"),
    "rectified": (Through(torch.relu), "[0, 1]"),
    "residual": (Through(lambda x: x + 0.1 * torch.tanh(x)), "[-1, 1]"),
}


@pytest.mark.parametrize("kind", FINE)
def test_a_module_in_the_scale_of_its_images_is_judged_however_bad_it_is(pixels, kind):
    module, scaling = FINE[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for images in (pixels, pixels[::-1].copy()):
            assert np.isfinite(judged(module, images, scaling=scaling, batch_size=9).error).all()


def test_light_images_alone_and_a_rounding_are_no_other_scale(pixels):
    light = np.concatenate([pixels[20:], pixels[20:]])
    assert judged(Through(sigmoid), light, scaling="[-1, 1]").error.max() < 1e-3  # all of them in [0, 1]
    sharp = pixels.astype(np.float32) / 255
    sharp[:, :, 0, 0] = -0.04  # what resizing leaves past an edge
    sharp[:, :, 1, 1] = 1.05
    assert judged(Through(sigmoid), sharp).error.max() < 0.02


def test_a_linear_module_whose_reconstructions_happen_to_stay_in_0_to_1_is_warned_of(pixels):
    images = pixels / 127.5 - 1 + np.random.default_rng(1).choice([-0.4, 0.4], pixels.shape)
    images = np.clip(images, -1, 1)

    class Noisy(Linear):
        def forward(self, x):
            return self.decoder(x + 0.3 * torch.sin(999 * x.detach()))

    noisy = Noisy(0.35, 0.5)
    with pytest.warns(RuntimeWarning, match=r"^Noisy: all reconstructions stay in \[0, 1\], .*give them in \[0, 1\]$"):
        assert len(judged(noisy, images)) == ROWS


def dark_side(x):
    """What a module trained on [-1, 1] makes of darker images than it knows."""
    return torch.tanh(6 * x - 3)


def test_a_tanh_that_goes_below_all_images_is_refused_and_a_little_is_warned_of(pixels):
    known = (
        r"^Through: reconstructions lie in \[-1, 1\], as behind a tanh, and go down to -0\.\d+ in \d+ of 40 images "
        r"\(rows.*\), while {} no image goes below 0; if the module was trained on images in \[-1, 1\], {}$"
    )
    floats = pixels.astype(np.float32) / 255
    bytes_scaled = known.format(r"scaled to \[0, 1\]", r'write scaling="\[-1, 1\]"')
    refused(bytes_scaled, Through(dark_side), pixels, scaling="[0, 1]")
    refused(known.format("as given", r"give them in \[-1, 1\]"), Through(dark_side), floats, batch_size=3)
    with pytest.warns(RuntimeWarning, match=known.format("as given", r"give them in \[-1, 1\]")):
        judged(Through(lambda x: torch.tanh(x - 0.3)), floats)


def test_only_pixels_are_scaled_and_only_once(pixels):
    floats = pixels.astype(np.float32) / 255
    for scaling in ("[0, 1]", "[-1, 1]"):
        once = rf"^scaling: '{re.escape(scaling)}' is of pixels from 0 to 255, and none of the images exceeds 0\.9.*: l"
        refused(once, Linear(), floats, scaling=scaling)
        masks = (pixels > 128).astype(np.uint8)
        refused(r"none of the images exceeds 1: write scaling=\"as given\"", Linear(), masks, scaling=scaling)
        spoiled = pixels.astype(np.float32)
        spoiled[17, 0, 0, 0] = 300
        refused(
            r"; images reach from 10 to 300 \(row 17 \(by position, from 0\)\): leave it out if",
            Linear(),
            spoiled,
            scaling=scaling,
        )
