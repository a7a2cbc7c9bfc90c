"""Model engines behind one async method, ask(request) -> reply."""
