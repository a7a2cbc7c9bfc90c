"""The tables up to `cases`: the graph, the questions, what joins them. All are imported from conf/tables.py."""

import pyarrow as pa

from conf.table import (
    CANDIDATE,
    CASE_EDGE,
    CASE_PAIR,
    F64,
    FLAG,
    I32,
    NEGATIVE,
    OPTION,
    PATH,
    TEXT,
    TEXTS,
    Table,
    column,
)

NODES = Table(
    name="nodes",
    doc="The nodes of the graph, merged over its sources.",
    key=("node_id",),
    columns=(
        column("node_id", TEXT, "CURIE, such as MONDO:0005148; the first source in kg.sources gives it"),
        column("name", TEXT, "name as the first source writes it"),
        column("type", TEXT, "canonical type (conf/types.yaml)"),
        column("synonyms", TEXTS, "other names, of the node itself and of those merged into it; sorted"),
        column("xrefs", TEXTS, "other CURIEs of the same thing, of merged nodes and of grouped members; sorted"),
        column("name_key", TEXT, "the name under which spellings meet (conf.identity.name_key)"),
        column("generic", FLAG, "too general to start or end a path (conf/generic.yaml)"),
        column("degree", I32, "edges that touch the node"),
        column("number", I32, "rank of node_id, from 0: the row of the CSR index"),
        column("component", I32, "smallest number in the node's connected component"),
        column("sources", TEXTS, "sources that state the node, in the order of kg.sources"),
        column(
            "merged_by", TEXT, "curie, xref or name where sources met, joined by +; empty where one source states it"
        ),
    ),
)

EDGES = Table(
    name="edges",
    doc="The facts of the graph, each once, oriented as conf/relations.yaml declares.",
    key=("edge_id",),
    columns=(
        column("edge_id", TEXT, "sha256(src, relation, display_relation, dst)[:16], ends sorted when symmetric"),
        column("src", TEXT, "nodes.node_id the fact runs from; the smaller id when symmetric"),
        column("dst", TEXT, "nodes.node_id the fact runs to"),
        column("relation", TEXT, "the source's relation"),
        column("display_relation", TEXT, "the source's label of the relation"),
        column("predicate", TEXT, "canonical predicate (conf/relations.yaml)"),
        column("phrase", TEXT, "the fact in words, read from src to dst"),
        column("inverse_phrase", TEXT, "the fact in words, read from dst to src"),
        column("symmetric", FLAG, "true when the fact has no direction"),
        column("kind", TEXT, "causal, therapeutic, association, membership, similarity, location or taxon"),
        column("polarity", TEXT, "+, -, 0 or contraindicated"),
        column("may_carry", FLAG, "may lie inside a path, not only end one"),
        column("no_passage", TEXT, "src or dst: where two such edges meet, no path passes; empty: neither end"),
        column("cost", I32, "damping * (ln degree of src + ln degree of dst within the relation), in 1/65536"),
        column("sources", TEXTS, "sources that state the fact, in the order of kg.sources"),
        column("licence", TEXT, "SPDX expressions of the sources joined by OR; null when one is unknown"),
    ),
)

GRAPH_PROFILE = Table(
    name="graph_profile",
    doc="Counts of the graph, one number a row.",
    key=("section", "name"),
    columns=(
        column("section", TEXT, "graph, nodes_by_type, edges_by_relation, degree_quantile, shared_by_type, …"),
        column("name", TEXT, "what is counted"),
        column("value", F64, "the number"),
    ),
)

QUESTIONS = Table(
    name="questions",
    doc="Every readable question of every file.",
    key=("question_id",),
    columns=(
        column("question_id", TEXT, "sha256(dataset, id_in_dataset, question)[:16]"),
        column("dataset", TEXT, "name of the dataset, as in the config"),
        column("id_in_dataset", TEXT, "the file's own id; the line number from 1 where it has none"),
        column("split", TEXT, "train, validation, test or empty"),
        column("role", TEXT, "work goes through the pipeline, benchmark is only compared against"),
        column("question", TEXT, "the stem"),
        column("options", pa.list_(OPTION), "options sorted by key; empty for an open question"),
        column("answer_key", TEXT, "key of the right option; empty for an open question"),
        column("answer", TEXT, "text of the answer"),
        column("answer_kind", TEXT, "entity, phrase; yes_no_maybe, numeric, ordering, combination, statement"),
        column("context", TEXT, "passage or explanation that came with the question; empty where none"),
        column("flags", TEXTS, "NEEDS_IMAGE, INVERTED; a flag never closes a question"),
        column("licence", TEXT, "SPDX of the dataset (conf/licences.yaml); null when unknown"),
        column("is_test_set", FLAG, "the dataset and split are a published test set (conf/licences.yaml)"),
    ),
)

MENTIONS = Table(
    name="mentions",
    version=2,
    doc="Spans of text that may name a node.",
    key=("mention_id",),
    columns=(
        column("mention_id", TEXT, "sha256 of where it stands and who found it, 16 digits"),
        column("question_id", TEXT, "questions.question_id"),
        column("side", TEXT, "question, answer, or option for the wrong ones"),
        column("option_key", TEXT, "key of the option; empty on the question side and for open questions"),
        column("text", TEXT, "the span as written"),
        column("start", I32, "first character, from 0"),
        column("end", I32, "behind the last character"),
        column("type", TEXT, "canonical type of the best candidate; without candidates the one that the model gave"),
        column(
            "assertion",
            TEXT,
            "present, absent, family, past, hypothetical, other; of an answer or option always present",
        ),
        column("extractor", TEXT, "dictionary, rule (abnormal numbers), whole (an answer's whole text) or model"),
        column(
            "candidates",
            pa.list_(CANDIDATE),
            "nodes that bear the name or are near it, best or chosen first; may be empty",
        ),
    ),
)

LINKS = Table(
    name="links",
    version=2,
    doc="The nodes that a question, its answer and its other options are about.",
    key=("question_id", "side", "option_key", "node_id"),
    columns=(
        column("question_id", TEXT, "questions.question_id"),
        column("side", TEXT, "question, answer or option"),
        column("option_key", TEXT, "as in mentions"),
        column("node_id", TEXT, "nodes.node_id"),
        column("mention", TEXT, "the first span that names the node"),
        column("score", F64, "1 for an exact name or synonym"),
        column("method", TEXT, "exact, synonym, spelling, rule, embedding, model or given"),
        column("assertion", TEXT, "of its mentions on this side the one that says most: present first, absent last"),
        column("runner_up", TEXT, "node_id of the second best candidate; null where there is none"),
    ),
)

NODE_VECTORS = Table(
    name="node_vectors",
    doc="The vectors of the nodes' names, made once for a graph and an encoder. Append-only; of equal keys any row counts.",
    key=("node_id", "encoder", "kg_version"),
    append_only=True,
    partition_by=("kg_version",),
    columns=(
        column("node_id", TEXT, "nodes.node_id"),
        column("type", TEXT, "nodes.type"),
        column("encoder", TEXT, "what made the vector, with the digest of a model's files"),
        column("kg_version", TEXT, "content digest of the graph: how rare an n-gram is follows from all its names"),
        column("vector", pa.list_(pa.float32()), "unit length; all zeros where the name is blank"),
    ),
)

SCREENED = Table(
    name="screened",
    version=2,
    doc="The questions that go on to paths.",
    key=("question_id",),
    columns=(
        column("question_id", TEXT, "questions.question_id"),
        column("answer_coverage", F64, "share of the answer's content words that stand in a linked span"),
        column(
            "flags", TEXTS, "questions.flags, PARTIAL_ANSWER, NEAR_BENCHMARK; in an evaluation release COPIES_BENCHMARK"
        ),
        column(
            "nearest_benchmark",
            TEXT,
            "question_id of the nearest benchmark item; null where none is near or none was compared",
        ),
        column(
            "similarity", F64, "Jaccard similarity to it, of content words, in [0, 1]; null where nothing was compared"
        ),
    ),
)

PATHS = Table(
    name="paths",
    doc="Ranked paths from an entity of the question to an entity of the answer or of another option.",
    key=("question_id", "side", "option_key", "source", "target"),
    columns=(
        column("question_id", TEXT, "screened.question_id"),
        column("side", TEXT, "answer, or option for the wrong ones"),
        column("option_key", TEXT, "key of the option; empty for an open question"),
        column("source", TEXT, "nodes.node_id, linked on the question side"),
        column("target", TEXT, "nodes.node_id, linked on the answer or option side"),
        column("truncated", FLAG, "true when paths.max_expansions cut the search: better paths may exist"),
        column("ranker", TEXT, "what put the paths in order: path_degree_product, or learned/VERSION"),
        column(
            "paths", pa.list_(PATH), "best first: nodes, every edge of each step, whether it is walked from src to dst"
        ),
        column("kg_version", TEXT, "content digest of the graph"),
    ),
)

CASES = Table(
    name="cases",
    version=3,
    doc="One row a question with all that a model is shown.",
    key=("question_id",),
    columns=(
        column("question_id", TEXT, "screened.question_id"),
        column("question", TEXT, "questions.question"),
        column("options", pa.list_(OPTION), "questions.options"),
        column("answer_key", TEXT, "questions.answer_key"),
        column("answer", TEXT, "questions.answer"),
        column("answer_names", TEXTS, "names and synonyms of the nodes that the answer is linked to, sorted"),
        column("flags", TEXTS, "screened.flags; NO_RIVAL where no other option has a path"),
        column("negatives", pa.list_(NEGATIVE), "findings that the question denies, or ascribes to relatives, by name"),
        column("answer_margin", F64, "best score to the answer less best to any other option; null without options"),
        column(
            "pairs", pa.list_(CASE_PAIR), "pairs with their best paths; a path's steps number rows of `edges` from 0"
        ),
        column("edges", pa.list_(CASE_EDGE), "every edge of those paths once, best path first, with its sentence"),
        column("kg_version", TEXT, "paths.kg_version"),
    ),
)
