"""Which nodes a step names: what the linker's matcher finds, and nothing that is a word, a measurement or too general."""

import pyarrow as pa
import pytest
import ray

from conf.config import LinksConfig
from conf.tables import CHAINS
from medreason_ray.linking.linker import Linker
from medreason_ray.stages import name_mentions
from medreason_ray.stages.name_mentions import with_mentions
from tests.medreason_ray.drawn import graph

NODES = graph(
    ("Heparin", "drug"),
    {"node_id": "PE", "name": "Pulmonary embolism", "type": "disease", "synonyms": ["lung embolism"]},
    {"node_id": "asthma:disease", "name": "Asthma", "type": "disease"},
    {"node_id": "asthma:finding", "name": "Asthma", "type": "effect/phenotype"},
    {"node_id": "REST", "name": "REST", "type": "gene/protein"},
    {"node_id": "TNF", "name": "TNF", "type": "gene/protein"},
    {"node_id": "SHE", "name": "SHE", "type": "gene/protein"},
    {"node_id": "infection", "name": "Infection", "type": "disease", "generic": True},
    ("Potassium", "drug"),
)
LINKER = Linker(NODES, LinksConfig())

NAMED = {
    "Heparin treats pulmonary emboli and lung embolism.": ["Heparin", "PE"],
    "Heparin, heparin and again heparin.": ["Heparin"],
    "At rest she feels no pain.": [],
    "Expression of REST falls.": [],
    "TNF rises, tnf falls.": ["TNF"],
    "An infection follows.": [],
    "Her potassium is 3.1.": [],
    "Potassium is given by mouth.": ["Potassium"],
    "Heparine is given.": [],
    "": [],
}


def mentions(text: str, *cited: str) -> list[str]:
    edges = [{"path_id": "p", "hop": 0, "edge_id": "e", "src": end, "relation": "r", "dst": end} for end in cited]
    chain = {"steps": [{"text": text, "edges": edges, "mentions": ["to be replaced"]}]}
    found: list[str] = with_mentions(chain, LINKER)["steps"][0]["mentions"]
    return found


@pytest.mark.parametrize("text", NAMED)
def test_a_step_names_what_the_linker_reads_in_it(text: str) -> None:
    assert mentions(text) == NAMED[text]


@pytest.mark.parametrize("cited", ["asthma:disease", "asthma:finding"])
def test_a_name_of_several_nodes_means_the_one_that_the_chain_cites(cited: str) -> None:
    assert mentions("Asthma follows.", cited) == [cited]


def test_a_general_name_counts_where_it_is_cited() -> None:
    assert mentions("An infection follows.", "infection") == ["infection"]


@pytest.mark.slow
def test_every_chain_of_a_dataset_gets_its_mentions(ray_cluster) -> None:
    step = {"support": "background", "edges": [], "quote": None, "mentions": []}
    rows = [{"chain_id": str(n), "steps": [step | {"text": text}]} for n, text in enumerate(NAMED)]
    chains = pa.Table.from_pylist(rows, schema=CHAINS.schema).to_pylist()
    lists = pa.table({"chains": pa.array([chains[:1], [], chains[1:]], pa.list_(pa.struct(list(CHAINS.schema))))})
    named = name_mentions.run(ray.data.from_arrow(lists), NODES, LinksConfig(extractor="model"))
    found = {
        chain["chain_id"]: list(chain["steps"][0]["mentions"]) for row in named.take_all() for chain in row["chains"]
    }
    assert found == {str(n): nodes for n, nodes in enumerate(NAMED.values())}
