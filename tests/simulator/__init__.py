"""A seeded simulator: random lenders' lives on real databases, with crashes, against the day-by-day calculator.

A run is a sequence of *worlds*. A world is one tenant's book: some merchants, a product of each kind, a clock, and a list
of operations made up one after the other from the seed. Every operation goes through LoanBook; what it answers is told to
a model that knows no SQL and no replay, only what a lender's clerk would write down. At the end the day-by-day calculator
of ``tests.reference`` recomputes every loan from these notes, and ``verify`` recomputes the book from its events.

    python -m tests.simulator --seed 1 --operations 10000
"""
