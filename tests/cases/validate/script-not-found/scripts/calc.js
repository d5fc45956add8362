result = 1
