"""What a question has in common with others: pure functions that `screen_questions` calls, and the joins around them."""
