"""A module that never ends to import, in a process that ends with its starter."""

import time

from src.base.processes import die_with_parent

die_with_parent()
while True:
    time.sleep(60)
