"""The funnel as it is printed."""

from jobs import show_funnel
from jobs._run import execute
from tests.medreason_ray.lakes import chain, write


def test_what_blind_answers_show_is_printed_behind_the_counts(tmp_path, capsys):
    said = {"question_id": "q", "chain_id": "chain-q", "arm": "chain", "method": "match", "agrees": True}
    write(tmp_path, chains=[chain("q")], verdicts=[said])
    assert execute("show_funnel", show_funnel.main, [f"lake.root={tmp_path}", "tracking.enabled=false"]) == 0
    printed = capsys.readouterr().out
    titles = (
        "with a chain",
        "blind answers by arm",
        "right with the chain",
        "No question has both its chain and a foil",
    )
    places = [printed.find(title) for title in titles]
    assert -1 not in places
    assert places == sorted(places)
