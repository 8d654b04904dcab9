"""Files and frames → validated rows, and every rejected row with its line. No database here.

``read_sales`` is the way in; ``mapping`` says how another platform's export is laid out.
"""
