def assertions(text, spans):
    return ["present"] * len(spans)
