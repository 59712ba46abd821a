"""What a torch module that reconstructs its input returned: the reconstruction, and the spread of its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fairness_checks.adapters.image_loaders import form_of, seen
from fairness_checks.errors import InvalidPredictions, did_you_mean

if TYPE_CHECKING:
    import torch

__all__ = ["NAMES", "SPREADS", "Declared", "Output", "declared", "name_of", "read_output"]

NAMES = {
    "reconstruction": ("reconstruction", "reconstructions", "recon", "recons", "recon_x", "x_recon", "x_hat"),
    "mean": ("mean", "mu", "latent_mean", "z_mean"),
    "log_variance": ("log_variance", "log_var", "logvar", "latent_log_variance", "z_log_var", "z_logvar"),
}
"""Under which keys or attributes a module's output is looked for where nothing is declared."""

SPREADS = ("log_variance", "variance", "standard_deviation")
"""How a module may say the spread of its code; at most one of them."""

_MEANINGS = ("reconstruction", "mean", *SPREADS)
_LIKELY = {  # what such names often mean; they are shown, never taken
    **dict.fromkeys(("std", "stddev", "sigma", "scale", "sd", "z_std", "z_sigma"), "standard_deviation"),
    **dict.fromkeys(("var", "variance", "z_var", "sigma2"), "variance"),
    **dict.fromkeys(("out", "output", "sample", "decoded", "rec", "y", "x_rec", "xhat"), "reconstruction"),
    **dict.fromkeys(("log_sigma2", "lv", "logv"), "log_variance"),
    **{name: part for part, names in NAMES.items() for name in names},
}

Declared = Mapping[Any, str]


class Output(NamedTuple):
    """Parts of one batch's output; `spread` is named by `kind`. `by_place`: a tuple, taken in the usual order."""

    reconstruction: torch.Tensor
    mean: torch.Tensor | None
    spread: torch.Tensor | None
    kind: str
    by_place: bool

    def standard_deviation(self) -> torch.Tensor | None:
        """Return the spread as a standard deviation; NaN where it is that of nothing, as a negative one."""
        import torch

        if self.spread is None:
            return None
        wide = self.spread.to(torch.promote_types(self.spread.dtype, torch.float32))
        if self.kind == "log_variance":
            return (wide / 2).exp()
        return wide.sqrt() if self.kind == "variance" else wide.where(wide >= 0, torch.nan)


def declared(outputs: object, uncertainty: str | None) -> Declared | None:
    """Return what each key, attribute or place of a module's output means, as it was declared; None if it was not."""
    if outputs is None:
        return None
    if isinstance(outputs, Mapping):
        meanings = dict(outputs)
        if meanings and all(value not in _MEANINGS for value in meanings.values()) and set(meanings) & set(_MEANINGS):
            turned = {value: key for key, value in meanings.items()}
            raise InvalidPredictions(f"outputs: {meanings!r} is the wrong way round; write outputs={turned!r}")
    elif isinstance(outputs, Sequence) and not isinstance(outputs, str | bytes):
        meanings = {place: value for place, value in enumerate(outputs) if value is not None}
    else:
        raise InvalidPredictions(
            f'outputs: {outputs!r}; give what each place means, such as ("reconstruction", "log_variance", "mean"), '
            'or each name, such as {"x_hat": "reconstruction", "sigma": "standard_deviation"}'
        )
    for value in meanings.values():
        if value not in _MEANINGS:
            raise InvalidPredictions(f"outputs: {value!r}; {did_you_mean(str(value), _MEANINGS)}")
    given = list(meanings.values())
    spreads = [value for value in given if value in SPREADS]
    if len(set(given)) < len(given) or len(spreads) > 1 or "reconstruction" not in given:
        raise InvalidPredictions(
            f"outputs: {', '.join(given) or 'nothing'}; one reconstruction is needed, and at most one mean and one of "
            f"{', '.join(SPREADS)}"
        )
    if uncertainty is not None and not spreads:
        raise InvalidPredictions(
            f"outputs: {', '.join(given)}, without one of {', '.join(SPREADS)}, of which the uncertainty is made; "
            "declare it, or do without it: uncertainty=None"
        )
    return meanings


def read_output(
    output: Any, module: torch.nn.Module, batch: torch.Tensor, uncertainty: str | None, meanings: Declared | None
) -> Output:
    """Return the parts of an output, which belong to this batch."""
    import torch

    parts = _parts(output, module, uncertainty) if meanings is None else _declared_parts(output, module, meanings)
    if uncertainty is None:
        parts = {"reconstruction": parts["reconstruction"]}
    for part, tensor in parts.items():
        form = form_of(tensor) if isinstance(tensor, torch.Tensor) else None
        if form is not None:
            raise InvalidPredictions(f"{name_of(module)}: {part} is a tensor that is {form}; return a dense one")
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            raise InvalidPredictions(f"{name_of(module)}: {part} is {seen(tensor)}; a tensor of floats is needed")
    reconstruction = parts["reconstruction"]
    if reconstruction.shape != batch.shape:
        raise InvalidPredictions(
            f"{name_of(module)}: reconstruction of shape {tuple(reconstruction.shape)} for images of shape "
            f"{tuple(batch.shape)}; both must be the same: reshape it in the module, or the images beforehand"
        )
    kind = next((name for name in SPREADS if name in parts), "")
    spread, mean = parts.get(kind), parts.get("mean")
    if spread is not None:
        shape = spread.shape if mean is None else mean.shape
        if spread.shape != shape or spread.shape[:1] != batch.shape[:1] or not spread.numel():
            raise InvalidPredictions(
                f"{name_of(module)}: {kind.replace('_', ' ')} of shape {tuple(spread.shape)}, mean of shape "
                f"{tuple(shape)}; one row for each of the {len(batch)} images is needed, both of one shape"
            )
    by_place = meanings is None and mean is not None and _is_plain(output)
    return Output(reconstruction, mean, spread, kind, by_place)


def _parts(output: Any, module: torch.nn.Module, uncertainty: str | None) -> dict[str, Any]:
    """Find reconstruction, mean and log variance, by name or place; without uncertainty the first only."""
    import torch

    if isinstance(output, torch.Tensor):
        return {"reconstruction": output}
    if _is_plain(output):
        if output and (uncertainty is None or len(output) == 1):
            return {"reconstruction": output[0]}
        if len(output) == len(NAMES):
            return dict(zip(NAMES, output, strict=True))
        hint = "; or do without the last two: uncertainty=None" if output else ""
        raise InvalidPredictions(
            f"{name_of(module)} returned {len(output)} things ({', '.join(map(seen, output))}); return the "
            'reconstruction, mean and log variance, in this order, or declare what they are: outputs=("reconstruction",'
            f' "log_variance", ...), None for what is not to be read{hint}'
        )
    wanted = ["reconstruction"] if uncertainty is None else list(NAMES)
    named = {part: _named(output, part, module) for part in wanted}
    for part, value in named.items():
        if value is None and part != "mean":
            hint = "" if part == "reconstruction" else "; or do without it: uncertainty=None"
            raise InvalidPredictions(
                f"{name_of(module)} returned {_found(output)} without a {part}; name it one of "
                f"{', '.join(NAMES[part])}, or declare what is there: {_declaration(output)}{hint}"
            )
    return {part: value for part, value in named.items() if value is not None}


def _declared_parts(output: Any, module: torch.nn.Module, meanings: Declared) -> dict[str, Any]:
    """Take what was declared, by key, attribute or place."""
    import torch

    whole = (output,) if isinstance(output, torch.Tensor) else output
    parts = {}
    for key, meaning in meanings.items():
        try:
            if isinstance(whole, Mapping) or (isinstance(key, int) and isinstance(whole, Sequence)):
                parts[meaning] = whole[key]
            else:
                parts[meaning] = getattr(whole, str(key))
        except (KeyError, IndexError, AttributeError):
            found = f"{len(whole)} things" if _is_plain(whole) else _found(output)
            raise InvalidPredictions(
                f"outputs: {key!r} is declared to be the {meaning.replace('_', ' ')}, and {name_of(module)} returned "
                f"{found}"
            ) from None
    return parts


def _is_plain(output: object) -> bool:
    """Say whether an output has places and no names."""
    return isinstance(output, tuple | list) and not hasattr(output, "_fields")


def _named(output: object, part: str, module: torch.nn.Module) -> Any:
    """Return what a mapping or an object has under one of the names of a part, None if it has none."""
    if isinstance(output, Mapping):
        values = {name: output.get(name) for name in NAMES[part]}
    else:
        values = {name: getattr(output, name, None) for name in NAMES[part]}
        values = {name: value for name, value in values.items() if not callable(value)}  # such as an array's `mean`
    found = {name: value for name, value in values.items() if value is not None}
    if len({id(value) for value in found.values()}) > 1:
        raise InvalidPredictions(
            f"{name_of(module)} returned {type(output).__name__} with a {part} under each of {', '.join(found)}; keep "
            f'one of these names, or declare which it is: outputs={{"{next(iter(found))}": "{part}", ...}}'
        )
    return next(iter(found.values()), None)


def _found(output: object) -> str:
    """Name the type of an output and its keys or attributes."""
    return f"{type(output).__name__} ({', '.join(_fields(output))})"


def _declaration(output: object) -> str:
    """Return an example of how the names that were found are declared, by what such names often mean."""
    likely: dict[str, str] = {}
    for name in _fields(output):
        meaning = _LIKELY.get(name)
        taken = SPREADS if meaning in SPREADS else (meaning,)
        if meaning is not None and not set(taken) & set(likely.values()):
            likely[name] = meaning
    if "reconstruction" not in likely.values():
        likely = {"NAME": "reconstruction", **likely}
    if not set(SPREADS) & set(likely.values()):
        likely["NAME_2" if "NAME" in likely else "NAME"] = "standard_deviation"
    return f"outputs={likely!r}"


def _fields(output: object) -> list[str]:
    """Name the keys of a mapping, the fields of a named tuple, of an object with slots or of any other."""
    if isinstance(output, Mapping):
        return list(map(str, output))
    homes = (getattr(output, home, None) for home in ("_fields", "__slots__", "__dict__"))
    return list(next(filter(None, homes), ()))


def name_of(module: object) -> str:
    """Return the name of a module's class, for messages."""
    return type(module).__name__
