"""Which files of tests take longest."""

LONGEST = (
    *("test_prove_erasure", "test_prove_export", "test_users_random", "test_owner_halfway"),
    *("test_docs_commands", "test_half_way", "test_bench", "test_coherence", "test_document_coherence"),
    *("test_openai_sdist", "test_tokens_count", "test_openapi_typescript", "test_valid_out", "test_install"),
    *("test_openapi", "test_sweep_conversations", "test_compaction", "test_dev_server", "test_dashboard"),
    *("test_budget_state", "test_chaos_run", "test_load_run", "test_prove_memory", "test_roles"),
)
"""Files that take 20 s or more. They go first: one process would else have a long one left at the end."""
