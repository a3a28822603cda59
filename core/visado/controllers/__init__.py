"""The host's own actions, a class per room. Owns what an action does with its arguments; not how they arrive."""
