# Tries to break whoever reads its values.
import os

TAGS = (
    b'{"value": {"int": "__import__"}}\n{"value": {"nothing": 1}}\n{"value": {"object": [[], {}]}}\n',
    b'{"value": {"set": [[]]}}\n{"error": {"kinds": [], "message": 1}}\n',
)
for fd in range(64):
    try:
        os.write(fd, b'{"names": {"f": {"object": [0, "f"]}, "assert": 1, "all": 0}}\n' + b"".join(TAGS))
    except OSError:
        pass
