# Tries to fill whatever keeps its output.
while True:
    print("passed" * 1000)
