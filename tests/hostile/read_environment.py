# Tries to read secrets in the environment, its own and that of other processes.
import glob
import os

texts = [str(dict(os.environ))]
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        with open(path) as file:
            texts.append(file.read())
    except OSError:
        pass
if any("@SECRET@" in text for text in texts):
    raise ValueError("leaked the secret")
raise ValueError(texts[0])
