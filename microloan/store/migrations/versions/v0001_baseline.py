"""The first schema: every table of lending and sales, and the triggers that keep history as it was written."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# 64 bits on both databases; STRICT SQLite knows no BIGINT.
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _create_accrual() -> None:
    op.create_table(
        "ml_accrual",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("memo", BIG, nullable=False),
        sa.Column("loan", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("day_count", BIG, nullable=False),
        sa.Column("anchor_n", BIG, nullable=False),
        sa.Column("whole", BIG, nullable=False),
        sa.Column("q", BIG, nullable=False),
        sa.Column("rem", BIG, nullable=False),
        sa.Column("m", BIG, nullable=False),
        sa.Column("den", BIG, nullable=False),
        sa.Column("penalty_whole", BIG, nullable=True),
        sa.Column("penalty_q", BIG, nullable=True),
        sa.Column("penalty_rem", BIG, nullable=True),
        sa.Column("penalty_m", BIG, nullable=True),
        sa.Column("next_action", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "bucket", "product", "class", "memo", "loan", name=op.f("pk_ml_accrual")
        ),
        sa.CheckConstraint("memo IN (0, 1)", name=op.f("ck_ml_accrual_memo")),
        sa.CheckConstraint("day_count IN (0, 1)", name=op.f("ck_ml_accrual_day_count")),
        sa.CheckConstraint(
            "den > 0 AND rem >= 0 AND rem < den AND m >= 0 AND m < den AND q >= 0",
            name=op.f("ck_ml_accrual_formula"),
        ),
        sa.CheckConstraint(
            "(penalty_q IS NULL) = (penalty_whole IS NULL) AND (penalty_q IS NULL) = (penalty_rem IS NULL) "
            "AND (penalty_q IS NULL) = (penalty_m IS NULL) AND (penalty_q IS NULL OR (penalty_q >= 0 "
            "AND penalty_rem >= 0 AND penalty_rem < den AND penalty_m >= 0 AND penalty_m < den))",
            name=op.f("ck_ml_accrual_penalty"),
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_ml_accrual_tenant_bucket_next_action_loan"),
        "ml_accrual",
        ["tenant", "bucket", "next_action", "loan"],
    )


def _create_book() -> None:
    op.create_table(
        "ml_book",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("buckets", BIG, nullable=False),
        sa.Column("four_eyes", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_ml_book")),
        sa.CheckConstraint("buckets BETWEEN 1 AND 4096", name=op.f("ck_ml_book_buckets")),
        sa.CheckConstraint("four_eyes IN ('off', 'on')", name=op.f("ck_ml_book_four_eyes")),
        sqlite_strict=True,
    )


def _create_bucket() -> None:
    op.create_table(
        "ml_bucket",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("open_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", name=op.f("pk_ml_bucket")),
        sqlite_strict=True,
    )


def _create_command() -> None:
    op.create_table(
        "ml_command",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_ml_command")),
        sa.UniqueConstraint("tenant", "operation", "key", name=op.f("uq_ml_command_tenant_operation_key")),
        sa.CheckConstraint("approver = '' OR approver <> actor", name=op.f("ck_ml_command_four_eyes")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_command_tenant_recorded_at"), "ml_command", ["tenant", "recorded_at"])


def _create_coverage() -> None:
    op.create_table(
        "ml_coverage",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("shop", BIG, nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "shop", "first_day", name=op.f("pk_ml_coverage")),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_ml_coverage_span")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _create_decision() -> None:
    op.create_table(
        "ml_decision",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Integer(), nullable=False),
        sa.Column("decided_on", sa.Integer(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("policy_version", BIG, nullable=False),
        sa.Column("policy_sha256", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("limit_minor", BIG, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=True),
        sa.Column("facility", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("decided_at", BIG, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_decision")),
        sa.UniqueConstraint(
            "tenant", "bucket", "run", "merchant", name=op.f("uq_ml_decision_tenant_bucket_run_merchant")
        ),
        sa.CheckConstraint(
            "outcome IN ('approved', 'declined', 'manual_review')", name=op.f("ck_ml_decision_outcome")
        ),
        sa.CheckConstraint("limit_minor >= 0", name=op.f("ck_ml_decision_limit")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_decision_tenant_bucket_merchant_decided_at"),
        "ml_decision",
        ["tenant", "bucket", "merchant", "decided_at"],
    )
    op.create_index(op.f("ix_ml_decision_tenant_run_merchant"), "ml_decision", ["tenant", "run", "merchant"])


def _create_erasure() -> None:
    op.create_table(
        "ml_erasure",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("erased_on", sa.Integer(), nullable=False),
        sa.Column("erased_at", BIG, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fields", BIG, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "merchant", "command", name=op.f("pk_ml_erasure")),
        sa.CheckConstraint("approver = '' OR approver <> actor", name=op.f("ck_ml_erasure_four_eyes")),
        sqlite_strict=True,
    )


def _create_event() -> None:
    op.create_table(
        "ml_event",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("loan", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value_date", sa.Integer(), nullable=False),
        sa.Column("booked_on", sa.Integer(), nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.Column("reverses", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.Column("four_eyes", BIG, nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "facility", "seq", name=op.f("pk_ml_event")),
        sa.UniqueConstraint("tenant", "bucket", "id", name=op.f("uq_ml_event_tenant_bucket_id")),
        sa.CheckConstraint("seq > 0", name=op.f("ck_ml_event_seq")),
        sa.CheckConstraint("value_date <= booked_on", name=op.f("ck_ml_event_not_in_future")),
        sa.CheckConstraint("four_eyes IN (0, 1)", name=op.f("ck_ml_event_four_eyes_flag")),
        sa.CheckConstraint(
            "(four_eyes = 0 AND approver = '') OR (approver <> '' AND approver <> actor)",
            name=op.f("ck_ml_event_four_eyes"),
        ),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_event_tenant_bucket_booked_on"), "ml_event", ["tenant", "bucket", "booked_on"]
    )
    op.create_index(
        op.f("ix_ml_event_tenant_bucket_loan_seq"), "ml_event", ["tenant", "bucket", "loan", "seq"]
    )


def _create_facility() -> None:
    op.create_table(
        "ml_facility",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("product_version", BIG, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("limit_minor", BIG, nullable=False),
        sa.Column("seasonal_limit_minor", BIG, nullable=False),
        sa.Column("seasonal_until", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("signed_on", sa.Integer(), nullable=False),
        sa.Column("signed_at", BIG, nullable=False),
        sa.Column("valid_until", sa.Integer(), nullable=False),
        sa.Column("contract_sha256", sa.Text(), nullable=False),
        sa.Column("outstanding_minor", BIG, nullable=False),
        sa.Column("pending_minor", BIG, nullable=False),
        sa.Column("last_seq", BIG, nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_facility")),
        sa.CheckConstraint(
            "status IN ('active', 'frozen', 'closed', 'expired')", name=op.f("ck_ml_facility_status")
        ),
        sa.CheckConstraint(
            "limit_minor >= 0 AND seasonal_limit_minor >= 0", name=op.f("ck_ml_facility_limits")
        ),
        sa.CheckConstraint(
            "(seasonal_limit_minor = 0) = (seasonal_until IS NULL)", name=op.f("ck_ml_facility_seasonal")
        ),
        sa.CheckConstraint("outstanding_minor >= 0 AND pending_minor >= 0", name=op.f("ck_ml_facility_used")),
        sa.CheckConstraint("last_seq >= 0", name=op.f("ck_ml_facility_seq")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_facility_tenant_bucket_merchant"), "ml_facility", ["tenant", "bucket", "merchant"]
    )
    op.create_index(
        op.f("ix_ml_facility_tenant_bucket_status_valid_until"),
        "ml_facility",
        ["tenant", "bucket", "status", "valid_until"],
    )


def _create_feed() -> None:
    op.create_table(
        "ml_feed",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "platform", "first_day", name=op.f("pk_ml_feed")),
        sa.CheckConstraint("first_day <= last_day", name=op.f("ck_ml_feed_span")),
        sqlite_strict=True,
    )


def _create_identifier() -> None:
    op.create_table(
        "ml_identifier",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=True),
        sa.Column("added_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "bucket", "merchant", "kind", "digest", name=op.f("pk_ml_identifier")
        ),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_ml_identifier_span")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_identifier_tenant_kind_digest_added_at_merchant"),
        "ml_identifier",
        ["tenant", "kind", "digest", "added_at", "merchant"],
    )


def _create_import() -> None:
    op.create_table(
        "ml_import",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("lines_done", BIG, nullable=False),
        sa.Column("accepted", BIG, nullable=False),
        sa.Column("updated", BIG, nullable=False),
        sa.Column("duplicates", BIG, nullable=False),
        sa.Column("rejected", BIG, nullable=False),
        sa.Column("rejected_by_code", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=True),
        sa.Column("last_day", sa.Integer(), nullable=True),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("finished_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_ml_import")),
        sa.UniqueConstraint("tenant", "key", name=op.f("uq_ml_import_tenant_key")),
        sa.CheckConstraint("status IN ('running', 'done')", name=op.f("ck_ml_import_status")),
        sa.CheckConstraint("covers IN ('shops', 'platform')", name=op.f("ck_ml_import_covers")),
        sa.CheckConstraint(
            "accepted >= 0 AND updated >= 0 AND duplicates >= 0 AND rejected >= 0",
            name=op.f("ck_ml_import_counts"),
        ),
        sa.CheckConstraint(
            "accepted + updated + duplicates = lines_done", name=op.f("ck_ml_import_lines_done")
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_import_tenant_sha256"), "ml_import", ["tenant", "sha256"])


def _create_import_batch() -> None:
    op.create_table(
        "ml_import_batch",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "revision", name=op.f("pk_ml_import_batch")),
        sqlite_strict=True,
    )


def _create_journal() -> None:
    op.create_table(
        "ml_journal",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("line", BIG, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("loan", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "entry", "line", name=op.f("pk_ml_journal")),
        sa.CheckConstraint("source IN ('command', 'night', 'morning')", name=op.f("ck_ml_journal_source")),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_ml_journal_amount")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_journal_tenant_bucket_day"), "ml_journal", ["tenant", "bucket", "day"])


def _create_loan() -> None:
    op.create_table(
        "ml_loan",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("product_version", BIG, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("drawn_minor", BIG, nullable=False),
        sa.Column("drawn_on", sa.Integer(), nullable=False),
        sa.Column("drawn_at", BIG, nullable=False),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("maturity", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("principal_minor", BIG, nullable=False),
        sa.Column("credit_minor", BIG, nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("memo", BIG, nullable=False),
        sa.Column("oldest_due", sa.Integer(), nullable=True),
        sa.Column("held_through", sa.Integer(), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_loan")),
        sa.CheckConstraint(
            "status IN ('pending', 'cancelled', 'active', 'overdue', 'closed', 'written_off')",
            name=op.f("ck_ml_loan_status"),
        ),
        sa.CheckConstraint("drawn_minor > 0", name=op.f("ck_ml_loan_drawn")),
        sa.CheckConstraint("principal_minor >= 0 AND credit_minor >= 0", name=op.f("ck_ml_loan_caches")),
        sa.CheckConstraint("memo IN (0, 1)", name=op.f("ck_ml_loan_memo")),
        sa.CheckConstraint("(held_through IS NULL) = (held_reason IS NULL)", name=op.f("ck_ml_loan_held")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_loan_held"),
        "ml_loan",
        ["tenant", "bucket", "id"],
        sqlite_where=sa.text("held_through IS NOT NULL"),
        postgresql_where=sa.text("held_through IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_ml_loan_not_started"),
        "ml_loan",
        ["tenant", "drawn_on", "drawn_at", "id"],
        sqlite_where=sa.text("start IS NULL"),
        postgresql_where=sa.text("start IS NULL"),
    )
    op.create_index(op.f("ix_ml_loan_tenant_bucket_facility"), "ml_loan", ["tenant", "bucket", "facility"])
    op.create_index(op.f("ix_ml_loan_tenant_bucket_merchant"), "ml_loan", ["tenant", "bucket", "merchant"])
    op.create_index(
        op.f("ix_ml_loan_tenant_drawn_on_drawn_at_id"), "ml_loan", ["tenant", "drawn_on", "drawn_at", "id"]
    )


def _create_merchant() -> None:
    op.create_table(
        "ml_merchant",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_merchant")),
        sqlite_strict=True,
    )


def _create_merchant_link() -> None:
    op.create_table(
        "ml_merchant_link",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("other", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("linked_at", BIG, nullable=False),
        sa.Column("linked_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "merchant", "other", name=op.f("pk_ml_merchant_link")),
        sa.CheckConstraint("merchant < other", name=op.f("ck_ml_merchant_link_ordered")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_merchant_link_tenant_other"), "ml_merchant_link", ["tenant", "other"])


def _create_offer() -> None:
    op.create_table(
        "ml_offer",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("product_version", BIG, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("limit_minor", BIG, nullable=False),
        sa.Column("seasonal_limit_minor", BIG, nullable=False),
        sa.Column("seasonal_until", sa.Integer(), nullable=True),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("offered_on", sa.Integer(), nullable=False),
        sa.Column("expires_on", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("contract_sha256", sa.Text(), nullable=False),
        sa.Column("facility", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_offer")),
        sa.CheckConstraint(
            "status IN ('offered', 'signed', 'expired', 'superseded')", name=op.f("ck_ml_offer_status")
        ),
        sa.CheckConstraint("limit_minor >= 0 AND seasonal_limit_minor >= 0", name=op.f("ck_ml_offer_limits")),
        sa.CheckConstraint(
            "(seasonal_limit_minor = 0) = (seasonal_until IS NULL)", name=op.f("ck_ml_offer_seasonal")
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_offer_tenant_bucket_merchant"), "ml_offer", ["tenant", "bucket", "merchant"])
    op.create_index(
        op.f("uq_ml_offer_open"),
        "ml_offer",
        ["tenant", "bucket", "merchant"],
        unique=True,
        sqlite_where=sa.text("status = 'offered'"),
        postgresql_where=sa.text("status = 'offered'"),
    )


def _create_outbox() -> None:
    op.create_table(
        "ml_outbox",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("facility", sa.Text(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("time", BIG, nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("published_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_outbox")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_outbox_waiting"),
        "ml_outbox",
        ["tenant", "bucket", "facility", "seq"],
        sqlite_where=sa.text("published_at IS NULL"),
        postgresql_where=sa.text("published_at IS NULL"),
    )


def _create_platform() -> None:
    op.create_table(
        "ml_platform",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("first_settled_day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "platform", "revision", name=op.f("pk_ml_platform")),
        sqlite_strict=True,
    )


def _create_policy() -> None:
    op.create_table(
        "ml_policy",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Integer(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", BIG, nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name=op.f("pk_ml_policy")),
        sa.CheckConstraint("version > 0", name=op.f("ck_ml_policy_version")),
        sa.CheckConstraint("status IN ('proposed', 'approved')", name=op.f("ck_ml_policy_status")),
        sa.CheckConstraint(
            "(status = 'approved') = (approved_at IS NOT NULL)", name=op.f("ck_ml_policy_approved")
        ),
        sqlite_strict=True,
    )


def _create_product() -> None:
    op.create_table(
        "ml_product",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", BIG, nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name=op.f("pk_ml_product")),
        sa.CheckConstraint("version > 0", name=op.f("ck_ml_product_version")),
        sa.CheckConstraint("status IN ('proposed', 'approved')", name=op.f("ck_ml_product_status")),
        sa.CheckConstraint(
            "(status = 'approved') = (approved_at IS NOT NULL)", name=op.f("ck_ml_product_approved")
        ),
        sqlite_strict=True,
    )


def _create_promise() -> None:
    op.create_table(
        "ml_promise",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("loan", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.Column("made_on", sa.Integer(), nullable=False),
        sa.Column("by_day", sa.Integer(), nullable=False),
        sa.Column("made_after", BIG, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_promise")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_ml_promise_amount")),
        sa.CheckConstraint("by_day >= made_on", name=op.f("ck_ml_promise_days")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_promise_tenant_bucket_loan"), "ml_promise", ["tenant", "bucket", "loan"])
    op.create_index(op.f("ix_ml_promise_tenant_by_day"), "ml_promise", ["tenant", "by_day"])


def _create_provision() -> None:
    op.create_table(
        "ml_provision",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("principal_minor", BIG, nullable=False),
        sa.Column("allowance_minor", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "product", "class", name=op.f("pk_ml_provision")),
        sa.CheckConstraint(
            "principal_minor >= 0 AND allowance_minor >= 0", name=op.f("ck_ml_provision_amounts")
        ),
        sqlite_strict=True,
    )


def _create_receipt() -> None:
    op.create_table(
        "ml_receipt",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("received_on", sa.Integer(), nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("payer_digest", sa.Text(), nullable=False),
        sa.Column("payer_last_four", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("matched_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_ml_receipt")),
        sa.CheckConstraint("status IN ('waiting', 'booked', 'set_aside')", name=op.f("ck_ml_receipt_status")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_ml_receipt_amount")),
        sa.CheckConstraint("(status = 'booked') = (subject <> '')", name=op.f("ck_ml_receipt_booked")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_receipt_tenant_received_on"), "ml_receipt", ["tenant", "received_on"])
    op.create_index(
        op.f("ix_ml_receipt_waiting"),
        "ml_receipt",
        ["tenant", "id"],
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )


def _create_request() -> None:
    op.create_table(
        "ml_request",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("asked_hash", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_on", sa.Integer(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", BIG, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "id", name=op.f("pk_ml_request")),
        sa.CheckConstraint(
            "status IN ('waiting', 'approved', 'rejected')", name=op.f("ck_ml_request_status")
        ),
        sa.CheckConstraint("(status = 'waiting') = (decided_by IS NULL)", name=op.f("ck_ml_request_decided")),
        sa.CheckConstraint(
            "(decided_by IS NULL) = (decided_at IS NULL)", name=op.f("ck_ml_request_decided_at")
        ),
        sa.CheckConstraint("created_by <> ''", name=op.f("ck_ml_request_created_by")),
        sa.CheckConstraint(
            "status <> 'approved' OR (decided_by <> '' AND decided_by <> created_by)",
            name=op.f("ck_ml_request_four_eyes"),
        ),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_request_tenant_status_created_at"), "ml_request", ["tenant", "status", "created_at"]
    )
    op.create_index(
        op.f("uq_ml_request_waiting"),
        "ml_request",
        ["tenant", "asked_hash"],
        unique=True,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )


def _create_review() -> None:
    op.create_table(
        "ml_review",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", BIG, nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", BIG, nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("offer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "bucket", "decision", name=op.f("pk_ml_review")),
        sa.CheckConstraint(
            "status IN ('open', 'approved', 'declined', 'superseded')", name=op.f("ck_ml_review_status")
        ),
        sa.CheckConstraint("(status = 'open') = (answered_at IS NULL)", name=op.f("ck_ml_review_answered")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_review_tenant_bucket_merchant_status"),
        "ml_review",
        ["tenant", "bucket", "merchant", "status"],
    )
    op.create_index(
        op.f("ix_ml_review_tenant_status_opened_at"), "ml_review", ["tenant", "status", "opened_at"]
    )


def _create_sales_clock() -> None:
    op.create_table(
        "ml_sales_clock",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("shops", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_ml_sales_clock")),
        sa.CheckConstraint("revision >= 0 AND shops >= 0", name=op.f("ck_ml_sales_clock_counters")),
        sqlite_strict=True,
    )


def _create_sales_line() -> None:
    op.create_table(
        "ml_sales_line",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("shop", BIG, nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("paid_day", BIG, nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.Column("refund_minor", BIG, nullable=False),
        sa.Column("status", BIG, nullable=False),
        sa.Column("refunded_day", BIG, nullable=True),
        sa.Column("status_day", BIG, nullable=True),
        sa.Column("settled_day", BIG, nullable=True),
        sa.Column("buyer_id", sa.Text(), nullable=True),
        sa.Column("product_id", sa.Text(), nullable=True),
        sa.Column("revision", BIG, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "bucket", "shop", "order_id", "line_id", name=op.f("pk_ml_sales_line")
        ),
        sa.CheckConstraint("amount_minor BETWEEN 0 AND 10000000000000", name=op.f("ck_ml_sales_line_amount")),
        sa.CheckConstraint("refund_minor BETWEEN 0 AND amount_minor", name=op.f("ck_ml_sales_line_refund")),
        sa.CheckConstraint("status BETWEEN 0 AND 4", name=op.f("ck_ml_sales_line_status")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _create_sales_line_old() -> None:
    op.create_table(
        "ml_sales_line_old",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("shop", BIG, nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("replaced_by", BIG, nullable=False),
        sa.Column("paid_day", BIG, nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.Column("refund_minor", BIG, nullable=False),
        sa.Column("status", BIG, nullable=False),
        sa.Column("refunded_day", BIG, nullable=True),
        sa.Column("status_day", BIG, nullable=True),
        sa.Column("settled_day", BIG, nullable=True),
        sa.Column("buyer_id", sa.Text(), nullable=True),
        sa.Column("product_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint(
            "tenant", "bucket", "shop", "order_id", "line_id", "revision", name=op.f("pk_ml_sales_line_old")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _create_seal() -> None:
    op.create_table(
        "ml_seal",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("heads", BIG, nullable=False),
        sa.Column("lines", BIG, nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "day", name=op.f("pk_ml_seal")),
        sqlite_strict=True,
    )


def _create_setting() -> None:
    op.create_table(
        "ml_setting",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Integer(), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "effective_on", "seq", name=op.f("pk_ml_setting")),
        sqlite_strict=True,
    )


def _create_settlement() -> None:
    op.create_table(
        "ml_settlement",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("shop", sa.Text(), nullable=False),
        sa.Column("settled_on", sa.Integer(), nullable=False),
        sa.Column("captures_minor", BIG, nullable=False),
        sa.Column("refunds_minor", BIG, nullable=False),
        sa.Column("chargebacks_minor", BIG, nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "platform", "id", name=op.f("pk_ml_settlement")),
        sa.CheckConstraint(
            "status IN ('waiting', 'booked', 'nothing_to_sweep')", name=op.f("ck_ml_settlement_status")
        ),
        sa.CheckConstraint(
            "captures_minor >= 0 AND refunds_minor >= 0 AND chargebacks_minor >= 0",
            name=op.f("ck_ml_settlement_amounts"),
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_settlement_tenant_settled_on"), "ml_settlement", ["tenant", "settled_on"])
    op.create_index(
        op.f("ix_ml_settlement_waiting"),
        "ml_settlement",
        ["tenant", "platform", "id"],
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )


def _create_shop() -> None:
    op.create_table(
        "ml_shop",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("rating", sa.Text(), nullable=True),
        sa.Column("violations", BIG, nullable=True),
        sa.Column("rated_on", sa.Integer(), nullable=True),
        sa.Column("platform_is_buyer", BIG, nullable=False),
        sa.Column("lines", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number", name=op.f("pk_ml_shop")),
        sa.UniqueConstraint("tenant", "platform", "shop_id", name=op.f("uq_ml_shop_tenant_platform_shop_id")),
        sa.CheckConstraint("violations >= 0", name=op.f("ck_ml_shop_violations")),
        sa.CheckConstraint("platform_is_buyer IN (0, 1)", name=op.f("ck_ml_shop_platform_is_buyer")),
        sa.CheckConstraint("lines >= 0", name=op.f("ck_ml_shop_lines")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_ml_shop_tenant_merchant"), "ml_shop", ["tenant", "merchant"])
    op.create_index(op.f("ix_ml_shop_tenant_shop_id"), "ml_shop", ["tenant", "shop_id"])


def _create_swept() -> None:
    op.create_table(
        "ml_swept",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bucket", BIG, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("loan", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("settlement", sa.Text(), nullable=False),
        sa.Column("asked_minor", BIG, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "bucket", "event", name=op.f("pk_ml_swept")),
        sa.CheckConstraint("asked_minor >= 0", name=op.f("ck_ml_swept_asked")),
        sqlite_strict=True,
    )
    op.create_index(
        op.f("ix_ml_swept_tenant_platform_settlement"), "ml_swept", ["tenant", "platform", "settlement"]
    )


def _create_underwriting_run() -> None:
    op.create_table(
        "ml_underwriting_run",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("policy_version", BIG, nullable=False),
        sa.Column("as_of", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("finished_at", BIG, nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_ml_underwriting_run")),
        sa.UniqueConstraint("tenant", "key", name=op.f("uq_ml_underwriting_run_tenant_key")),
        sa.CheckConstraint("status IN ('running', 'done')", name=op.f("ck_ml_underwriting_run_status")),
        sqlite_strict=True,
    )


def upgrade() -> None:
    """Make every table, then forbid changes of history."""
    _create_accrual()
    _create_book()
    _create_bucket()
    _create_command()
    _create_coverage()
    _create_decision()
    _create_erasure()
    _create_event()
    _create_facility()
    _create_feed()
    _create_identifier()
    _create_import()
    _create_import_batch()
    _create_journal()
    _create_loan()
    _create_merchant()
    _create_merchant_link()
    _create_offer()
    _create_outbox()
    _create_platform()
    _create_policy()
    _create_product()
    _create_promise()
    _create_provision()
    _create_receipt()
    _create_request()
    _create_review()
    _create_sales_clock()
    _create_sales_line()
    _create_sales_line_old()
    _create_seal()
    _create_setting()
    _create_settlement()
    _create_shop()
    _create_swept()
    _create_underwriting_run()
    if op.get_context().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        op.execute("ALTER TABLE ml_loan SET (fillfactor = 85)")
        _guard_postgresql()


def _guard_sqlite() -> None:
    op.execute(
        'CREATE TRIGGER ml_book_four_eyes_made BEFORE INSERT ON ml_book WHEN \'{"four_eyes":"\' || '
        "NEW.four_eyes || '\"}' <> COALESCE((SELECT value FROM ml_setting WHERE tenant = NEW.tenant AND name ="
        " 'four_eyes' ORDER BY effective_on DESC, seq DESC LIMIT 1), '{\"four_eyes\":\"off\"}') BEGIN SELECT "
        "RAISE(ABORT, 'four_eyes changes only with a setting on file'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_book_four_eyes_changed BEFORE UPDATE OF tenant, four_eyes ON ml_book WHEN "
        "'{\"four_eyes\":\"' || NEW.four_eyes || '\"}' <> COALESCE((SELECT value FROM ml_setting WHERE tenant = "
        "NEW.tenant AND name = 'four_eyes' ORDER BY effective_on DESC, seq DESC LIMIT 1), "
        "'{\"four_eyes\":\"off\"}') BEGIN SELECT RAISE(ABORT, 'four_eyes changes only with a setting on file'); "
        "END"
    )
    op.execute(
        "CREATE TRIGGER ml_command_no_change BEFORE UPDATE ON ml_command WHEN NEW.tenant IS NOT OLD.tenant OR"
        " NEW.id IS NOT OLD.id OR NEW.operation IS NOT OLD.operation OR NEW.key IS NOT OLD.key OR NEW.actor "
        "IS NOT OLD.actor OR NEW.approver IS NOT OLD.approver OR NEW.recorded_at IS NOT OLD.recorded_at BEGIN"
        " SELECT RAISE(ABORT, 'ml_command is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_command_no_delete BEFORE DELETE ON ml_command BEGIN SELECT RAISE(ABORT, "
        "'ml_command is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_command_no_replace BEFORE INSERT ON ml_command WHEN EXISTS (SELECT 1 FROM "
        "ml_command WHERE tenant = NEW.tenant AND id = NEW.id) OR EXISTS (SELECT 1 FROM ml_command WHERE "
        "rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_command is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_command_claimed BEFORE INSERT ON ml_command WHEN EXISTS (SELECT 1 FROM ml_command "
        "WHERE tenant = NEW.tenant AND operation = NEW.operation AND key = NEW.key) BEGIN SELECT "
        "RAISE(IGNORE); END"
    )
    op.execute(
        "CREATE TRIGGER ml_decision_no_update BEFORE UPDATE ON ml_decision BEGIN SELECT RAISE(ABORT, "
        "'ml_decision is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_decision_no_delete BEFORE DELETE ON ml_decision BEGIN SELECT RAISE(ABORT, "
        "'ml_decision is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_decision_no_replace BEFORE INSERT ON ml_decision WHEN EXISTS (SELECT 1 FROM "
        "ml_decision WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND id = NEW.id) OR EXISTS (SELECT 1 "
        "FROM ml_decision WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND run = NEW.run AND merchant = "
        "NEW.merchant) OR EXISTS (SELECT 1 FROM ml_decision WHERE rowid = NEW.rowid) BEGIN SELECT "
        "RAISE(ABORT, 'ml_decision is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_erasure_no_update BEFORE UPDATE ON ml_erasure BEGIN SELECT RAISE(ABORT, "
        "'ml_erasure is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_erasure_no_delete BEFORE DELETE ON ml_erasure BEGIN SELECT RAISE(ABORT, "
        "'ml_erasure is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_erasure_no_replace BEFORE INSERT ON ml_erasure WHEN EXISTS (SELECT 1 FROM "
        "ml_erasure WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND merchant = NEW.merchant AND command"
        " = NEW.command) OR EXISTS (SELECT 1 FROM ml_erasure WHERE rowid = NEW.rowid) BEGIN SELECT "
        "RAISE(ABORT, 'ml_erasure is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_event_no_update BEFORE UPDATE ON ml_event BEGIN SELECT RAISE(ABORT, 'ml_event is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_event_no_delete BEFORE DELETE ON ml_event BEGIN SELECT RAISE(ABORT, 'ml_event is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_event_no_replace BEFORE INSERT ON ml_event WHEN EXISTS (SELECT 1 FROM ml_event "
        "WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND facility = NEW.facility AND seq = NEW.seq) OR "
        "EXISTS (SELECT 1 FROM ml_event WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND id = NEW.id) OR"
        " EXISTS (SELECT 1 FROM ml_event WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_event is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_journal_no_update BEFORE UPDATE ON ml_journal BEGIN SELECT RAISE(ABORT, "
        "'ml_journal is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_journal_no_delete BEFORE DELETE ON ml_journal BEGIN SELECT RAISE(ABORT, "
        "'ml_journal is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_journal_no_replace BEFORE INSERT ON ml_journal WHEN EXISTS (SELECT 1 FROM "
        "ml_journal WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND entry = NEW.entry AND line = "
        "NEW.line) OR EXISTS (SELECT 1 FROM ml_journal WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, "
        "'ml_journal is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_offer_no_change BEFORE UPDATE ON ml_offer WHEN NEW.tenant IS NOT OLD.tenant OR "
        "NEW.bucket IS NOT OLD.bucket OR NEW.id IS NOT OLD.id OR NEW.merchant IS NOT OLD.merchant OR "
        "NEW.decision IS NOT OLD.decision OR NEW.product IS NOT OLD.product OR NEW.product_version IS NOT "
        "OLD.product_version OR NEW.currency IS NOT OLD.currency OR NEW.limit_minor IS NOT OLD.limit_minor OR"
        " NEW.seasonal_limit_minor IS NOT OLD.seasonal_limit_minor OR NEW.seasonal_until IS NOT "
        "OLD.seasonal_until OR NEW.rate IS NOT OLD.rate OR NEW.offered_on IS NOT OLD.offered_on OR "
        "NEW.expires_on IS NOT OLD.expires_on OR NEW.contract IS NOT OLD.contract OR NEW.contract_sha256 IS "
        "NOT OLD.contract_sha256 BEGIN SELECT RAISE(ABORT, 'ml_offer is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_offer_no_delete BEFORE DELETE ON ml_offer BEGIN SELECT RAISE(ABORT, 'ml_offer is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_offer_no_replace BEFORE INSERT ON ml_offer WHEN EXISTS (SELECT 1 FROM ml_offer "
        "WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND id = NEW.id) OR EXISTS (SELECT 1 FROM ml_offer"
        " WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_offer is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_policy_no_change BEFORE UPDATE ON ml_policy WHEN OLD.status = 'approved' OR "
        "NEW.tenant IS NOT OLD.tenant OR NEW.name IS NOT OLD.name OR NEW.version IS NOT OLD.version OR "
        "NEW.body IS NOT OLD.body OR NEW.sha256 IS NOT OLD.sha256 OR NEW.effective_on IS NOT OLD.effective_on"
        " OR NEW.proposed_by IS NOT OLD.proposed_by OR NEW.proposed_at IS NOT OLD.proposed_at BEGIN SELECT "
        "RAISE(ABORT, 'ml_policy is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_policy_no_delete BEFORE DELETE ON ml_policy BEGIN SELECT RAISE(ABORT, 'ml_policy "
        "is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_policy_no_replace BEFORE INSERT ON ml_policy WHEN EXISTS (SELECT 1 FROM ml_policy "
        "WHERE tenant = NEW.tenant AND name = NEW.name AND version = NEW.version) OR EXISTS (SELECT 1 FROM "
        "ml_policy WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_policy is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_product_no_change BEFORE UPDATE ON ml_product WHEN OLD.status = 'approved' OR "
        "NEW.tenant IS NOT OLD.tenant OR NEW.name IS NOT OLD.name OR NEW.version IS NOT OLD.version OR "
        "NEW.currency IS NOT OLD.currency OR NEW.body IS NOT OLD.body OR NEW.sha256 IS NOT OLD.sha256 OR "
        "NEW.proposed_by IS NOT OLD.proposed_by OR NEW.proposed_at IS NOT OLD.proposed_at BEGIN SELECT "
        "RAISE(ABORT, 'ml_product is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_product_no_delete BEFORE DELETE ON ml_product BEGIN SELECT RAISE(ABORT, "
        "'ml_product is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_product_no_replace BEFORE INSERT ON ml_product WHEN EXISTS (SELECT 1 FROM "
        "ml_product WHERE tenant = NEW.tenant AND name = NEW.name AND version = NEW.version) OR EXISTS "
        "(SELECT 1 FROM ml_product WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_product is append-"
        "only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_receipt_no_change BEFORE UPDATE ON ml_receipt WHEN OLD.status = 'booked' AND "
        "NEW.status <> 'booked' OR NEW.tenant IS NOT OLD.tenant OR NEW.id IS NOT OLD.id OR NEW.received_on IS"
        " NOT OLD.received_on OR NEW.amount_minor IS NOT OLD.amount_minor OR NEW.recorded_at IS NOT "
        "OLD.recorded_at BEGIN SELECT RAISE(ABORT, 'ml_receipt is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_receipt_no_delete BEFORE DELETE ON ml_receipt BEGIN SELECT RAISE(ABORT, "
        "'ml_receipt is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_receipt_no_replace BEFORE INSERT ON ml_receipt WHEN EXISTS (SELECT 1 FROM "
        "ml_receipt WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_receipt is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_receipt_claimed BEFORE INSERT ON ml_receipt WHEN EXISTS (SELECT 1 FROM ml_receipt "
        "WHERE tenant = NEW.tenant AND id = NEW.id) BEGIN SELECT RAISE(IGNORE); END"
    )
    op.execute(
        "CREATE TRIGGER ml_request_no_change BEFORE UPDATE ON ml_request WHEN OLD.status <> 'waiting' OR "
        "NEW.tenant IS NOT OLD.tenant OR NEW.bucket IS NOT OLD.bucket OR NEW.id IS NOT OLD.id OR "
        "NEW.operation IS NOT OLD.operation OR NEW.subject IS NOT OLD.subject OR NEW.payload IS NOT "
        "OLD.payload OR NEW.asked_hash IS NOT OLD.asked_hash OR NEW.reason IS NOT OLD.reason OR "
        "NEW.created_by IS NOT OLD.created_by OR NEW.created_on IS NOT OLD.created_on OR NEW.created_at IS "
        "NOT OLD.created_at BEGIN SELECT RAISE(ABORT, 'ml_request is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_request_no_delete BEFORE DELETE ON ml_request BEGIN SELECT RAISE(ABORT, "
        "'ml_request is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_request_no_replace BEFORE INSERT ON ml_request WHEN EXISTS (SELECT 1 FROM "
        "ml_request WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND id = NEW.id) OR EXISTS (SELECT 1 "
        "FROM ml_request WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_request is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_request_waits_once BEFORE INSERT ON ml_request WHEN NEW.status = 'waiting' AND "
        "EXISTS (SELECT 1 FROM ml_request WHERE tenant = NEW.tenant AND asked_hash = NEW.asked_hash AND "
        "status = 'waiting' AND id <> NEW.id) BEGIN SELECT RAISE(IGNORE); END"
    )
    op.execute(
        "CREATE TRIGGER ml_seal_no_update BEFORE UPDATE ON ml_seal BEGIN SELECT RAISE(ABORT, 'ml_seal is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_seal_no_delete BEFORE DELETE ON ml_seal BEGIN SELECT RAISE(ABORT, 'ml_seal is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_seal_no_replace BEFORE INSERT ON ml_seal WHEN EXISTS (SELECT 1 FROM ml_seal WHERE "
        "tenant = NEW.tenant AND bucket = NEW.bucket AND day = NEW.day) OR EXISTS (SELECT 1 FROM ml_seal "
        "WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_seal is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_setting_no_update BEFORE UPDATE ON ml_setting BEGIN SELECT RAISE(ABORT, "
        "'ml_setting is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_setting_no_delete BEFORE DELETE ON ml_setting BEGIN SELECT RAISE(ABORT, "
        "'ml_setting is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_setting_no_replace BEFORE INSERT ON ml_setting WHEN EXISTS (SELECT 1 FROM "
        "ml_setting WHERE tenant = NEW.tenant AND name = NEW.name AND effective_on = NEW.effective_on AND seq"
        " = NEW.seq) OR EXISTS (SELECT 1 FROM ml_setting WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, "
        "'ml_setting is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_settlement_no_change BEFORE UPDATE ON ml_settlement WHEN OLD.status = 'booked' AND"
        " NEW.status <> 'booked' OR NEW.tenant IS NOT OLD.tenant OR NEW.platform IS NOT OLD.platform OR "
        "NEW.id IS NOT OLD.id OR NEW.shop IS NOT OLD.shop OR NEW.settled_on IS NOT OLD.settled_on OR "
        "NEW.captures_minor IS NOT OLD.captures_minor OR NEW.refunds_minor IS NOT OLD.refunds_minor OR "
        "NEW.chargebacks_minor IS NOT OLD.chargebacks_minor OR NEW.recorded_at IS NOT OLD.recorded_at BEGIN "
        "SELECT RAISE(ABORT, 'ml_settlement is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_settlement_no_delete BEFORE DELETE ON ml_settlement BEGIN SELECT RAISE(ABORT, "
        "'ml_settlement is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_settlement_no_replace BEFORE INSERT ON ml_settlement WHEN EXISTS (SELECT 1 FROM "
        "ml_settlement WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_settlement is append-only'); "
        "END"
    )
    op.execute(
        "CREATE TRIGGER ml_settlement_claimed BEFORE INSERT ON ml_settlement WHEN EXISTS (SELECT 1 FROM "
        "ml_settlement WHERE tenant = NEW.tenant AND platform = NEW.platform AND id = NEW.id) BEGIN SELECT "
        "RAISE(IGNORE); END"
    )
    op.execute(
        "CREATE TRIGGER ml_swept_no_update BEFORE UPDATE ON ml_swept BEGIN SELECT RAISE(ABORT, 'ml_swept is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_swept_no_delete BEFORE DELETE ON ml_swept BEGIN SELECT RAISE(ABORT, 'ml_swept is "
        "append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER ml_swept_no_replace BEFORE INSERT ON ml_swept WHEN EXISTS (SELECT 1 FROM ml_swept "
        "WHERE tenant = NEW.tenant AND bucket = NEW.bucket AND event = NEW.event) OR EXISTS (SELECT 1 FROM "
        "ml_swept WHERE rowid = NEW.rowid) BEGIN SELECT RAISE(ABORT, 'ml_swept is append-only'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION ml_append_only() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE "
        "EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_TABLE_NAME || ' is append-"
        "only'; END$$"
    )
    op.execute(
        "CREATE OR REPLACE FUNCTION ml_four_eyes_as_set() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF "
        "'{\"four_eyes\":\"' || NEW.four_eyes || '\"}' <> COALESCE((SELECT value FROM ml_setting WHERE tenant = "
        "NEW.tenant AND name = 'four_eyes' ORDER BY effective_on DESC, seq DESC LIMIT 1), "
        "'{\"four_eyes\":\"off\"}') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
        "MESSAGE = 'four_eyes changes only with a setting on file'; END IF; RETURN NEW; END$$"
    )
    op.execute(
        "CREATE TRIGGER ml_book_four_eyes_as_set BEFORE INSERT OR UPDATE OF tenant, four_eyes ON ml_book FOR "
        "EACH ROW EXECUTE FUNCTION ml_four_eyes_as_set()"
    )
    op.execute(
        "CREATE TRIGGER ml_command_no_change BEFORE UPDATE ON ml_command FOR EACH ROW WHEN ((NEW.tenant, "
        "NEW.id, NEW.operation, NEW.key, NEW.actor, NEW.approver, NEW.recorded_at) IS DISTINCT FROM "
        "(OLD.tenant, OLD.id, OLD.operation, OLD.key, OLD.actor, OLD.approver, OLD.recorded_at)) EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_command_no_delete BEFORE DELETE ON ml_command FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_command_no_truncate BEFORE TRUNCATE ON ml_command FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_decision_no_change BEFORE UPDATE OR DELETE ON ml_decision FOR EACH ROW EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_decision_no_truncate BEFORE TRUNCATE ON ml_decision FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_erasure_no_change BEFORE UPDATE OR DELETE ON ml_erasure FOR EACH ROW EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_erasure_no_truncate BEFORE TRUNCATE ON ml_erasure FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_event_no_change BEFORE UPDATE OR DELETE ON ml_event FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_event_no_truncate BEFORE TRUNCATE ON ml_event FOR EACH STATEMENT EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_journal_no_change BEFORE UPDATE OR DELETE ON ml_journal FOR EACH ROW EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_journal_no_truncate BEFORE TRUNCATE ON ml_journal FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_offer_no_change BEFORE UPDATE ON ml_offer FOR EACH ROW WHEN ((NEW.tenant, "
        "NEW.bucket, NEW.id, NEW.merchant, NEW.decision, NEW.product, NEW.product_version, NEW.currency, "
        "NEW.limit_minor, NEW.seasonal_limit_minor, NEW.seasonal_until, NEW.rate, NEW.offered_on, "
        "NEW.expires_on, NEW.contract, NEW.contract_sha256) IS DISTINCT FROM (OLD.tenant, OLD.bucket, OLD.id,"
        " OLD.merchant, OLD.decision, OLD.product, OLD.product_version, OLD.currency, OLD.limit_minor, "
        "OLD.seasonal_limit_minor, OLD.seasonal_until, OLD.rate, OLD.offered_on, OLD.expires_on, "
        "OLD.contract, OLD.contract_sha256)) EXECUTE FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_offer_no_delete BEFORE DELETE ON ml_offer FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_offer_no_truncate BEFORE TRUNCATE ON ml_offer FOR EACH STATEMENT EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_policy_no_change BEFORE UPDATE ON ml_policy FOR EACH ROW WHEN (OLD.status = "
        "'approved' OR (NEW.tenant, NEW.name, NEW.version, NEW.body, NEW.sha256, NEW.effective_on, "
        "NEW.proposed_by, NEW.proposed_at) IS DISTINCT FROM (OLD.tenant, OLD.name, OLD.version, OLD.body, "
        "OLD.sha256, OLD.effective_on, OLD.proposed_by, OLD.proposed_at)) EXECUTE FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_policy_no_delete BEFORE DELETE ON ml_policy FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_policy_no_truncate BEFORE TRUNCATE ON ml_policy FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_product_no_change BEFORE UPDATE ON ml_product FOR EACH ROW WHEN (OLD.status = "
        "'approved' OR (NEW.tenant, NEW.name, NEW.version, NEW.currency, NEW.body, NEW.sha256, "
        "NEW.proposed_by, NEW.proposed_at) IS DISTINCT FROM (OLD.tenant, OLD.name, OLD.version, OLD.currency,"
        " OLD.body, OLD.sha256, OLD.proposed_by, OLD.proposed_at)) EXECUTE FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_product_no_delete BEFORE DELETE ON ml_product FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_product_no_truncate BEFORE TRUNCATE ON ml_product FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_receipt_no_change BEFORE UPDATE ON ml_receipt FOR EACH ROW WHEN (OLD.status = "
        "'booked' AND NEW.status <> 'booked' OR (NEW.tenant, NEW.id, NEW.received_on, NEW.amount_minor, "
        "NEW.recorded_at) IS DISTINCT FROM (OLD.tenant, OLD.id, OLD.received_on, OLD.amount_minor, "
        "OLD.recorded_at)) EXECUTE FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_receipt_no_delete BEFORE DELETE ON ml_receipt FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_receipt_no_truncate BEFORE TRUNCATE ON ml_receipt FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_request_no_change BEFORE UPDATE ON ml_request FOR EACH ROW WHEN (OLD.status <> "
        "'waiting' OR (NEW.tenant, NEW.bucket, NEW.id, NEW.operation, NEW.subject, NEW.payload, "
        "NEW.asked_hash, NEW.reason, NEW.created_by, NEW.created_on, NEW.created_at) IS DISTINCT FROM "
        "(OLD.tenant, OLD.bucket, OLD.id, OLD.operation, OLD.subject, OLD.payload, OLD.asked_hash, "
        "OLD.reason, OLD.created_by, OLD.created_on, OLD.created_at)) EXECUTE FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_request_no_delete BEFORE DELETE ON ml_request FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_request_no_truncate BEFORE TRUNCATE ON ml_request FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_seal_no_change BEFORE UPDATE OR DELETE ON ml_seal FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_seal_no_truncate BEFORE TRUNCATE ON ml_seal FOR EACH STATEMENT EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_setting_no_change BEFORE UPDATE OR DELETE ON ml_setting FOR EACH ROW EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_setting_no_truncate BEFORE TRUNCATE ON ml_setting FOR EACH STATEMENT EXECUTE "
        "FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_settlement_no_change BEFORE UPDATE ON ml_settlement FOR EACH ROW WHEN (OLD.status "
        "= 'booked' AND NEW.status <> 'booked' OR (NEW.tenant, NEW.platform, NEW.id, NEW.shop, "
        "NEW.settled_on, NEW.captures_minor, NEW.refunds_minor, NEW.chargebacks_minor, NEW.recorded_at) IS "
        "DISTINCT FROM (OLD.tenant, OLD.platform, OLD.id, OLD.shop, OLD.settled_on, OLD.captures_minor, "
        "OLD.refunds_minor, OLD.chargebacks_minor, OLD.recorded_at)) EXECUTE FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_settlement_no_delete BEFORE DELETE ON ml_settlement FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_settlement_no_truncate BEFORE TRUNCATE ON ml_settlement FOR EACH STATEMENT EXECUTE"
        " FUNCTION ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_swept_no_change BEFORE UPDATE OR DELETE ON ml_swept FOR EACH ROW EXECUTE FUNCTION "
        "ml_append_only()"
    )
    op.execute(
        "CREATE TRIGGER ml_swept_no_truncate BEFORE TRUNCATE ON ml_swept FOR EACH STATEMENT EXECUTE FUNCTION "
        "ml_append_only()"
    )
