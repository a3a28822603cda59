"""The host's own actions, a controller class per subject.

Owns what an action does with its arguments. Does not own how requests arrive and how responses are sent.
"""
