"""Merchants that belong together: shared identifiers, rings, related parties — pure, no SQL and no clock.

``links`` says what a shared phone, device, account, address, owner or licence is worth; ``rings`` looks from one merchant
outwards; ``wholebook`` does the same for every merchant at once (extra ``risk``); ``findings`` turns both into related parties
and reasons; ``generate`` hides rings in a made-up book, to measure how many are found.
"""
