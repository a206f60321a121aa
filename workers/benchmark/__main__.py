"""`python -m workers.benchmark [NAME ...]`, see `workers.benchmark.command`."""

import os

# before NumPy is loaded: as in the workers, which are pinned to one core each
os.environ.setdefault("OMP_NUM_THREADS", "1")

from workers.benchmark.command import main

if __name__ == "__main__":
    main()
