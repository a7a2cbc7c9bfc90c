"""Reading question files, line by line: pure functions that Spark calls inside `load_questions`, no session needed."""
