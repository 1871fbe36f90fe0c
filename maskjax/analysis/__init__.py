"""Studies of trained runs: what masks select, how they differ, and the path between two minima.

Each study is a module with a pure computation over arrays and a function that takes runs and gives
a table and figures. `maskjax analyze` is the command over all of them.
"""
