"""Ray side: links entities, writes chains through model engines, keeps the ledger of replies."""
