# Tries to read secrets in the home folder, the system, the repository and the row store.
import glob
import os

found = []
for pattern in ("/root/.*", "/root/*", "/home/*/.*", "/etc/shadow", "/etc/passwd", "@REPOSITORY@/*", "@CANARY@"):
    for path in glob.glob(pattern):
        try:
            with open(path) as file:
                found.append(path + file.read(100))
        except OSError:
            if os.path.isdir(path) and "pyenv" not in path:
                found.append(path)
if found:
    raise ValueError(f"leaked {found}")


def f(x):
    return 0
