"""The golden samples, for documents that need examples: a name in, parsed JSON out. A sample is never edited, so an
example never changes.
"""

from pathlib import Path
from typing import Any, Final

import orjson

# In an installed wheel; in a checkout.
FOLDERS: Final = (Path(__file__).parent / "sample_files", Path(__file__).parents[1] / "samples")

Sample = dict[str, Any]


def command_sample(kind: str) -> Sample:
    """A command of this type in its normal form."""
    sample: Sample = orjson.loads(_load(f"commands/{kind}.v1.expected.json")["normalised"])
    return sample


def entry_sample(name: str) -> Sample:
    """`name`: an action, for its success entry, or `failure`."""
    return _load(f"entries/{name}.v1.json")


def record_sample(name: str) -> Sample:
    """The value of a results record. `name`: `accepted`, `rejected` or `invalid`."""
    return _load(f"results/{name}.record.v1.json")


def _load(path: str) -> Sample:
    """Raises FileNotFoundError if there is no such sample."""
    folder = next((folder for folder in FOLDERS if folder.is_dir()), FOLDERS[0])
    sample: Sample = orjson.loads((folder / path).read_bytes())
    return sample
