"""From a strategy to a token: strategies, chains, login checks and challenges."""
