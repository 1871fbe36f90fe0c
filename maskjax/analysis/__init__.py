"""Studies of trained runs: what masks select, how they differ, and the path between two minima.

Each study is a module with a function that is a command of `maskjax analyze`: it takes folders of
runs, and makes tables and figures with the other functions of its module.
"""
