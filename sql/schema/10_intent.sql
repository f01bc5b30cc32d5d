CREATE TABLE IF NOT EXISTS schema_version (version INTEGER);

CREATE TABLE IF NOT EXISTS persona_pool (
    id VARCHAR, name VARCHAR, role VARCHAR, industry VARCHAR, expertise VARCHAR[], experience_level VARCHAR,
    communication_style VARCHAR, work_context VARCHAR, persona_list VARCHAR, source_sha256 VARCHAR,
    run_id VARCHAR, written_at TIMESTAMPTZ
);

-- one row per persona list file ever read, so that the sensor knows what is new
CREATE TABLE IF NOT EXISTS persona_lists (
    persona_list VARCHAR, source_sha256 VARCHAR, rows_good INTEGER, rows_bad INTEGER, problems JSON,
    run_id VARCHAR, written_at TIMESTAMPTZ
);

-- every version of every scenario ever used; intents point here by content hash
CREATE TABLE IF NOT EXISTS task_catalog (
    content_hash VARCHAR, name VARCHAR, domain VARCHAR, title VARCHAR, description VARCHAR, tiers VARCHAR[],
    tools VARCHAR[], subgoals INTEGER, current BOOLEAN, spec JSON, run_id VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS intent_pool (
    id VARCHAR, domain VARCHAR, domains VARCHAR[], tasks VARCHAR[], persona_id VARCHAR, persona_list VARCHAR,
    complexity VARCHAR, utterance VARCHAR, seed JSON, subgoals JSON, acceptance JSON, scenario_hashes JSON,
    writer_model VARCHAR, run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS intent_embeddings (
    intent_id VARCHAR, domain VARCHAR, model VARCHAR, text_sha256 VARCHAR, generation BIGINT, vector FLOAT[],
    run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS deduped_pool (
    intent_id VARCHAR, domain VARCHAR, run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS dropped_duplicates (
    intent_id VARCHAR, domain VARCHAR, duplicate_of VARCHAR, method VARCHAR, similarity FLOAT,
    run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS diversity_report (
    domain VARCHAR, metric VARCHAR, n BIGINT, value DOUBLE, detail JSON,
    run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS pool_diversity (
    metric VARCHAR, n BIGINT, value DOUBLE, detail JSON, run_id VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS llm_calls (
    id VARCHAR, domain VARCHAR, role VARCHAR, item_id VARCHAR, model VARCHAR, prompt_tokens BIGINT,
    completion_tokens BIGINT, cost_usd DOUBLE, latency_ms DOUBLE, attempts INTEGER, outcome VARCHAR,
    run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);
