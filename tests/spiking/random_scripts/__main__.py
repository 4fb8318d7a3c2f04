"""Print the script of a seed."""

import sys

from tests.spiking.random_scripts import write

print(write(int(sys.argv[1])).text)
