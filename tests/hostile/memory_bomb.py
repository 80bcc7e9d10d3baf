# Tries to take the machine's memory.
kept = []
while True:
    kept.append(bytearray(2**24))
