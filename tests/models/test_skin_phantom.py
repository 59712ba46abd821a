from collections import Counter

import numpy as np
import pytest
from scipy import linalg, stats

from models.data.images import LEVELS
from models.phantom.conditions import CLASS_SHARE, CONDITIONS, PARTITION
from models.phantom.optics import BLOOD, MELANIN, encode_srgb, skin_colour, skin_colours
from models.phantom.skin_phantom import CHUNK, MOST_PLANTED, Knobs, skin_phantom

BARE = Knobs(lesions=0, texture=0, hair=0, background=0, illumination=0, noise=0, blur=0)
ITA_RANGE = {1: (55, 90), 2: (41, 55), 3: (28, 41), 4: (10, 28), 5: (-30, 10), 6: (-90, -30)}


def typology_angle(srgb):
    """ITA in degrees of sRGB values 0 to 255 (..., 3): IEC 61966-2-1, then CIE 15 for D65; nothing from the package."""
    value = np.asarray(srgb, dtype=float) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ratio = linear @ np.transpose(to_xyz) / [0.95047, 1.0, 1.08883]
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness, yellow = 116 * root[..., 1] - 16, 200 * (root[..., 1] - root[..., 2])
    return np.degrees(np.arctan((lightness - 50) / yellow))


def scaled(images):
    return images.pixels.astype(np.float64) / 127.5 - 1.0


def residuals(train, test, kept=20):
    """Squared error of each test image after projection on the first `kept` principal directions of the others."""
    train, test = (group.reshape(len(group), -1) for group in (train, test))
    edge = train.shape[1]
    mean = train.mean(axis=0)
    spread = (train - mean).T @ (train - mean)
    _, directions = linalg.eigh(spread, subset_by_index=(edge - kept, edge - 1))
    centred = test - mean
    return ((centred - centred @ directions @ directions.T) ** 2).mean(axis=1)


def halves(mode, seed, count=600, trained=300, size=8, **options):
    """Training and test images of light and of dark skin."""
    pixels = scaled(skin_phantom(count, count, size=size, seed=seed, mode=mode, **options))
    light, dark = pixels[:count], pixels[count:]
    return light[:trained], light[trained:], dark[:trained], dark[trained:]


def test_shape_types_and_names():
    images = skin_phantom(5, 3, size=24)
    assert images.pixels.shape == (8, 3, 24, 24)
    assert images.pixels.dtype == np.uint8
    assert images.skin_type.dtype == np.int8
    assert images.skin_tone.tolist() == ["light"] * 5 + ["dark"] * 3
    assert set(images.skin_type[:5]) <= {1, 2}
    assert set(images.skin_type[5:]) <= {5, 6}
    assert len(set(images.ids.tolist())) == 8
    assert images.ids[5] == "phantom-dark-00000"
    assert tuple(images.conditions) == LEVELS
    assert all(len(labels) == 8 for labels in images.conditions.values())


def test_says_that_it_is_generated_and_how():
    images = skin_phantom(1, 0, seed=7, mode="matched", planted_mse_gap=0.01, knobs=Knobs(hair=0.2))
    assert images.synthetic is True
    assert images.licence == "Apache-2.0"
    for part in ("skin_phantom version", "size=32", "seed=7", "mode=matched", "planted_mse_gap=0.01", "hair=0.2"):
        assert part in images.source


@pytest.mark.parametrize(("light", "dark"), [(0, 2), (2, 0)])
def test_one_group_alone(light, dark):
    images = skin_phantom(light, dark, size=16)
    assert set(images.skin_tone) == {"light" if light else "dark"}


@pytest.mark.parametrize("kind", range(1, 7))
def test_plain_skin_of_each_type_has_its_typology_angle(kind):
    corners = [skin_colour(melanin, blood) for melanin in MELANIN[kind] for blood in BLOOD]
    angles = typology_angle(np.rint(encode_srgb(np.float32(corners))))
    low, high = ITA_RANGE[kind]
    assert low < angles.min()
    assert angles.max() < high


def test_rendered_plain_skin_has_its_typology_angle():
    images = skin_phantom(150, 150, size=8, knobs=BARE)
    assert (np.ptp(images.pixels, axis=(2, 3)) == 0).all()  # nothing but skin
    angles = typology_angle(images.pixels[:, :, 0, 0])
    low, high = np.transpose([ITA_RANGE[kind] for kind in images.skin_type.tolist()])
    assert ((low < angles) & (angles < high)).all()


def test_colours_are_those_of_colour_science():
    # colour-science 0.4.7: the same reflectance spectra, CIE 1931 2-degree observer, D65, 400 to 700 nm by 10 nm.
    known = [[215.4, 190.6, 164.5], [197.7, 161.6, 121.2], [119.9, 70.3, 36.3]]
    ours = encode_srgb(skin_colour([0.02, 0.08, 0.40], 0.01).astype(np.float32))
    np.testing.assert_allclose(ours, known, atol=0.8)


def test_table_of_colours_is_the_model():
    rng = np.random.default_rng(0)
    melanin, blood = rng.uniform(-6, -0.2, (50, 1, 1)), rng.uniform(-7, -1.5, (50, 1, 1))
    looked_up = skin_colours(melanin.astype(np.float32), blood.astype(np.float32))[:, :, 0, 0]
    exact = skin_colour(np.exp(melanin), np.exp(blood))[:, 0, 0]
    assert np.abs(encode_srgb(looked_up) - encode_srgb(exact.astype(np.float32))).max() < 1.0


def test_srgb_curve_is_the_standard():
    linear = np.linspace(0, 1, 5001)
    exact = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(encode_srgb(linear.astype(np.float32)) - exact).max() < 0.1


@pytest.mark.parametrize("mode", ["natural", "matched", "shuffled"])
def test_same_arguments_same_images(mode):
    def once(seed):
        return skin_phantom(6, 6, size=16, seed=seed, mode=mode).fingerprint()

    assert once(3) == once(3)
    assert once(3) != once(4)


def test_more_images_leave_the_earlier_ones_as_they_are():
    few = skin_phantom(CHUNK - 1, 4, size=16, planted_mse_gap=0.01)
    many = skin_phantom(CHUNK + 9, 40, size=16, planted_mse_gap=0.01)
    again = many.take(np.r_[: CHUNK - 1, CHUNK + 9 : CHUNK + 13])
    assert again.fingerprint() == few.fingerprint()
    assert again.ids.tolist() == few.ids.tolist()


def test_chunks_and_groups_show_different_images():
    images = skin_phantom(CHUNK + 1, 1, size=16, mode="shuffled")
    assert not np.array_equal(images.pixels[0], images.pixels[CHUNK])
    assert not np.array_equal(images.pixels[0], images.pixels[-1])


def test_other_sizes_show_the_same_scenes():
    small, large = (skin_phantom(40, 40, size=size, knobs=Knobs(noise=0)) for size in (32, 64))
    assert small.conditions["label"].tolist() == large.conditions["label"].tolist()
    pairs = zip(small.pixels.reshape(80, -1), large.at_size(32).pixels.reshape(80, -1), strict=True)
    alike = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
    assert np.median(alike) > 0.95


def test_levels_nest():
    images = skin_phantom(300, 300, size=8)
    three, nine, fine = (images.conditions[level].tolist() for level in LEVELS)
    assert {(c, b) for b, c in zip(nine, fine, strict=True)} <= {(row.name, row.nine) for row in CONDITIONS}
    assert all(PARTITION[b] == a for a, b in zip(three, nine, strict=True))
    assert len({row.name for row in CONDITIONS}) == len(CONDITIONS) >= 18
    assert len(CLASS_SHARE) == 9
    assert sum(CLASS_SHARE.values()) == pytest.approx(1.0)


def prevalence_p_value(images, level):
    """Chi-squared test that the labels are equally common in both groups; labels seen under 10 times left out."""
    labels, dark = images.conditions[level], images.skin_tone == "dark"
    common = [name for name, seen in Counter(labels.tolist()).items() if seen >= 10]
    table = [[(labels[dark == tone] == name).sum() for name in common] for tone in (False, True)]
    return stats.chi2_contingency(table).pvalue


def test_prevalence_differs_at_the_fine_level_only():
    images = skin_phantom(2000, 2000, size=8)
    assert prevalence_p_value(images, LEVELS[0]) > 0.01
    assert prevalence_p_value(images, LEVELS[1]) > 0.01
    assert prevalence_p_value(images, LEVELS[2]) < 1e-10
    shares = Counter(images.conditions[LEVELS[1]].tolist())
    for name, share in CLASS_SHARE.items():
        assert stats.binomtest(shares[name], 4000, share).pvalue > 1e-3


@pytest.mark.parametrize("options", [{"mode": "matched"}, {"mode": "shuffled"}, {"prevalence_gap": 0.0}])
def test_prevalence_can_be_equal_at_every_level(options):
    images = skin_phantom(2000, 2000, size=8, **options)
    assert prevalence_p_value(images, LEVELS[2]) > 0.01


@pytest.mark.parametrize("gap", [0.001, 0.01, MOST_PLANTED])
def test_planted_noise_has_its_variance_and_is_white(gap):
    plain = skin_phantom(100, 400, seed=5)
    noisy = skin_phantom(100, 400, seed=5, planted_mse_gap=gap)
    margin = int(np.ceil(127.5 * np.sqrt(gap)))
    held = np.clip(plain.pixels.astype(int), margin, 255 - margin)
    noise = (noisy.pixels - held) / 127.5
    assert (noise[:100] == 0).all()
    dark = noise[100:]
    error = np.sqrt(gap / dark.size)
    assert abs(dark.mean()) < 4 * error
    assert np.mean(dark**2) == pytest.approx(gap, rel=0.004)
    assert abs(np.mean(dark[..., 1:] * dark[..., :-1])) < 5 * gap / np.sqrt(dark.size)
    assert abs(np.mean(dark[:, 0] * dark[:, 1])) < 5 * gap / np.sqrt(dark[:, 0].size)
    assert abs(np.corrcoef(dark.ravel(), held[100:].ravel())[0, 1]) < 5 / np.sqrt(dark.size)


def test_planted_gap_is_the_difference_of_variance_between_matched_groups():
    # The highest frequency of each 2 x 2 block: white noise keeps its variance there, skin has next to none.
    gap = 0.01
    pixels = scaled(skin_phantom(1500, 1500, mode="matched", planted_mse_gap=gap))
    corners = pixels[..., ::2, ::2] - pixels[..., 1::2, ::2] - pixels[..., ::2, 1::2] + pixels[..., 1::2, 1::2]
    power = (corners**2 / 4).mean(axis=(1, 2, 3))
    light, dark = power[:1500], power[1500:]
    interval = stats.ttest_ind(dark, light, equal_var=False).confidence_interval(0.999)
    assert interval.low < gap < interval.high
    assert interval.high - interval.low < 0.1 * gap


@pytest.mark.parametrize("mode", ["matched", "shuffled"])
def test_no_gap_of_a_linear_model_in_the_null_modes(mode):
    # Repeats are compared, not images: those of one repeat share the training sample.
    both, worst, best = [], [], []
    for seed in range(12):
        light, light_test, dark, dark_test = halves(mode, seed)
        mixed = np.concatenate([light, dark])
        both.append(residuals(mixed, dark_test).mean() - residuals(mixed, light_test).mean())
        worst.append(residuals(light, dark_test).mean() - residuals(dark, light_test).mean())
        best.append(residuals(dark, dark_test).mean() - residuals(light, light_test).mean())
    for differences in (both, worst, best):
        assert stats.ttest_1samp(differences, 0.0).pvalue > 0.01
    assert np.std(both) / np.sqrt(12) < 0.0003  # a gap of 0.001 would have been seen; the error itself is 0.007


def test_labels_say_nothing_about_shuffled_images():
    images = skin_phantom(1500, 1500, size=8, mode="shuffled")
    brightness = images.pixels.mean(axis=(1, 2, 3))
    assert stats.ks_2samp(brightness[:1500], brightness[1500:]).pvalue > 0.01


def test_matched_groups_differ_in_tone_and_suffer_from_missing_training_images():
    light, light_test, dark, dark_test = halves("matched", 11)
    assert light.mean() > dark.mean() + 0.2
    assert residuals(light, dark_test).mean() > 1.1 * residuals(dark, dark_test).mean()
    assert residuals(dark, light_test).mean() > 1.1 * residuals(light, light_test).mean()


def test_matched_images_are_never_clipped():
    pixels = skin_phantom(200, 200, size=16, mode="matched", planted_mse_gap=MOST_PLANTED).pixels
    assert pixels.min() >= 1
    assert pixels.max() <= 254


@pytest.mark.parametrize("gap", [0.005, 0.02])
def test_a_linear_model_finds_the_planted_gap(gap):
    found = []
    for seed in range(6):
        light, light_test, dark, dark_test = halves("matched", 40 + seed, planted_mse_gap=gap)
        train = np.concatenate([light, dark])
        found.append(residuals(train, dark_test).mean() - residuals(train, light_test).mean())
    # Twenty directions of 192 are kept, and with them at most that share of the noise.
    interval = stats.ttest_1samp(found, 0.0).confidence_interval(0.99)
    assert interval.low < gap
    assert interval.high > gap * (1 - 20 / 192)
    assert interval.high - interval.low < 0.0015


def test_natural_dark_images_are_harder_as_photographs_are():
    light, light_test, dark, dark_test = halves("natural", 31, size=16)
    train = np.concatenate([light, dark])
    a, b = (residuals(train, test, kept=50) for test in (light_test, dark_test))
    assert 1.2 < b.mean() / a.mean() < 2.5  # photographs, at 32 pixels: 1.6


@pytest.mark.parametrize("knobs", [{"hair": 1}, {"texture": 3}, {"noise": 5}, {"lesions": 2}, {"background": 1}])
def test_knobs_add_detail_to_the_same_scenes(knobs):
    def detail(chosen):
        pixels = scaled(skin_phantom(150, 150, knobs=Knobs(**chosen)))
        return np.abs(np.diff(pixels, axis=-1)).mean(axis=(1, 2, 3))

    added = detail(knobs) - detail(dict.fromkeys(knobs, 0))
    assert stats.ttest_1samp(added, 0.0).statistic > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"light": -1, "dark": 1}, "light: -1"),
        ({"light": 1, "dark": 2.5}, "dark: 2.5"),
        ({"light": 0, "dark": 0}, "both 0"),
        ({"light": 1, "dark": 1, "size": 4}, "size: 4"),
        ({"light": 1, "dark": 1, "seed": -1}, "seed: -1"),
        ({"light": 1, "dark": 1, "mode": "null"}, "natural, matched, shuffled"),
        ({"light": 1, "dark": 1, "planted_mse_gap": 0.5}, "planted_mse_gap: 0.5"),
        ({"light": 1, "dark": 1, "planted_mse_gap": float("nan")}, "planted_mse_gap: nan"),
        ({"light": 1, "dark": 1, "prevalence_gap": -0.1}, "prevalence_gap: -0.1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        skin_phantom(**arguments)


@pytest.mark.parametrize(("name", "value"), [("hair", 1.5), ("noise", -1.0), ("blur", float("nan"))])
def test_bad_knobs_are_named(name, value):
    with pytest.raises(ValueError, match=f"knob {name}"):
        Knobs(**{name: value})
