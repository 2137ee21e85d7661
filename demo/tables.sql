\set QUIET on
\pset tuples_only on
\pset format unaligned

-- Each row of each table as JSON, a line each.
SELECT string_agg(
    format('SELECT json_build_object(''stream'', %L, ''row'', t) FROM %I.%I AS t', table_name, table_schema, table_name),
    ' UNION ALL '
)
FROM information_schema.tables
WHERE table_schema = 'tap_akeneo_assets' AND table_type = 'BASE TABLE'
\gexec
