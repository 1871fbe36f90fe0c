"""Trains one experiment: `python train.py --config configs/tasks.py:sst2 --out runs/sst2`.

The phases of a run are functions, in this order: `load_config` reads the experiment,
`maskjax.training.experiment` loads base, rows and adaptation, `maskjax.training.fit` trains, and
`maskjax.training.run` puts them together and fills the run folder.
"""

import sys

from maskjax.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
