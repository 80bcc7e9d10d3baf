# Tries to delete the files of the person who grades.
import os
import shutil

for path in ("@CANARY@", "@REPOSITORY@/tests/hostile/delete_files.py"):
    try:
        os.remove(path)
    except OSError:
        pass
shutil.rmtree(os.path.dirname("@CANARY@"), ignore_errors=True)


def f(x):
    return 0
