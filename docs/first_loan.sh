#!/usr/bin/env bash
# From a clone to a first loan on one's own sales, as a stranger types it: docs/first_loan.sh REPOSITORY, in an empty folder.
# The file of sales is made here, a tea shop's orders of a year; in life it is the export that lies there already.
set -euo pipefail

git clone "$1" microloan
cd microloan
make demo
source .venv/bin/activate

cat >make_sales.py <<'END'
from datetime import datetime, timedelta
print("order_id,shop_id,paid_at,amount,status,buyer_id")
for n in range(1460):
    paid = datetime(2025, 1, 1, 9) + timedelta(hours=6 * n)
    print(n, "tea", paid.isoformat(), 40 + n % 60, "completed", n % 199, sep=",")
END
python make_sales.py >sales.csv

microloan init --open-day 2026-01-01
microloan sales import sales.csv --platform own
microloan underwrite tea
microloan explain tea
microloan offer show tea --contract --output contract.txt
microloan facility sign tea --signer "Zhang Min" --sha256 "$(sha256sum contract.txt | cut -c1-64)"
microloan draw tea 5000 --days 30
microloan payout confirm tea
microloan eod --to 2026-01-10
microloan repay tea 2000
microloan statement tea --from 2026-01-01 --to 2026-01-11
