"""The conversation about one case: paths kept, chains written, answered blind, judged.

Source: MedReason (arXiv:2504.00993) prunes, writes, and keeps a chain when a model that sees it without its conclusion
answers right. Here each arm is a row of `verdicts`, and the closed book beside it says what the model knew without a chain.
"""

from collections.abc import Generator
from dataclasses import dataclass, field

from conf.config import ChainsConfig, VerifyConfig
from conf.outcome import Rejected
from medreason_ray.conversation import Row
from medreason_ray.engines.request import Model, Request
from medreason_ray.reply import answered
from medreason_ray.stages import answer_blind, judge_answers, prune_paths, write_chains
from medreason_ray.stages.show_paths import in_order, paths_to

_NOT_ASKED = "template engine: nothing to judge"


@dataclass(slots=True, kw_only=True)
class Reasoned:
    """What a case becomes."""

    chains: list[Row] = field(default_factory=list)
    verdicts: list[Row] = field(default_factory=list)
    lost: list[tuple[str, Rejected]] = field(default_factory=list)
    """Chains that could not be read: question|arm|sample, and why."""


def reason(
    case: Row, *, chains: ChainsConfig, verify: VerifyConfig, model: Model
) -> Generator[list[Request], list[Row], Reasoned]:
    """Ask all there is to ask about a case.

    Raises:
        Rejected: no chain towards the answer came; the reason is the first one's.
    """
    kept = in_order(paths_to(case, "answer", case["answer_key"] or ""))
    if chains.prune and model.reads:
        request = prune_paths.request(case, chains, model)
        [reply] = yield [request]
        kept = prune_paths.parse(request, answered(reply))
    found = yield from _write(case, kept, chains, model, with_foil=model.reads and "foil" in verify.arms)
    if not model.reads:
        found.verdicts = [_verdict(chain, "chain", why=_NOT_ASKED) for chain in found.chains]
    else:
        found.verdicts = yield from _verify(case, found.chains, verify, model)
    return found


def _write(
    case: Row, kept: list[Row], chains: ChainsConfig, model: Model, *, with_foil: bool
) -> Generator[list[Request], list[Row], Reasoned]:
    """The samples towards the answer and, where asked for, one chain towards the strongest wrong option."""
    key = case["answer_key"]
    asked = write_chains.requests(case, kept, chains, model, key=key, answer=case["answer"], samples=chains.samples)
    places = [("answer", sample) for sample in range(len(asked))]
    found = Reasoned()
    if with_foil and (rival := _rival(case)):
        try:
            paths = in_order(paths_to(case, "option", rival["key"]))
            asked += write_chains.requests(
                case, paths, chains, model, key=rival["key"], answer=rival["text"], samples=1
            )
            places.append(("foil", 0))
        except Rejected as reason:
            found.lost.append((f"{case['question_id']}|foil|0", reason))
    replies = yield asked
    for (arm, sample), request, reply in zip(places, asked, replies, strict=True):
        try:
            found.chains.append(write_chains.parse(case, request, answered(reply), arm=arm, sample=sample))
        except Rejected as reason:
            found.lost.append((f"{case['question_id']}|{arm}|{sample}", reason))
    if not any(chain["arm"] == "answer" for chain in found.chains):
        raise next(why for key, why in found.lost if "|answer|" in key)
    return found


def _rival(case: Row) -> Row | None:
    """The wrong option that has the cheapest path; None where none has one."""
    options = {option["key"]: option for option in case["options"] or ()}
    pairs = [pair for pair in case["pairs"] if pair["side"] == "option" and pair["option_key"] in options]
    best = min(pairs, key=lambda pair: (pair["paths"][0]["cost"], pair["option_key"]), default=None)
    return options[best["option_key"]] if best else None


def _verify(
    case: Row, chains: list[Row], verify: VerifyConfig, model: Model
) -> Generator[list[Request], list[Row], list[Row]]:
    """The verdicts of a case's chains; the closed book is asked once and stands beside each chain towards the answer."""
    blind: dict[tuple[str, str], Request] = {}
    verdicts: dict[tuple[str, str], Row] = {}
    for chain in chains:
        for arm in ("closed_book", "chain") if chain["arm"] == "answer" else ("foil",):
            if arm in verify.arms:
                place = chain["chain_id"], arm
                reasoning = None if arm == "closed_book" else chain["reasoning"]
                try:
                    blind[place] = answer_blind.request(case, reasoning, model, verify.seed)
                except Rejected as reason:
                    verdicts[place] = _verdict(chain, arm, why=str(reason), model=model)
    by_id = {chain["chain_id"]: chain for chain in chains}
    asked = list({request.request_id: request for request in blind.values()}.values())
    replies = yield asked
    said = {request.request_id: reply for request, reply in zip(asked, replies, strict=True)}
    judged = yield from _compare(
        case, {place: (each, said[each.request_id]) for place, each in blind.items()}, verify, model
    )
    for (chain_id, arm), fields in judged.items():
        verdicts[chain_id, arm] = _verdict(by_id[chain_id], arm, model=model) | fields
    return [verdicts[place] for place in sorted(verdicts)]


def _compare(
    case: Row, answers: dict[tuple[str, str], tuple[Request, Row]], verify: VerifyConfig, model: Model
) -> Generator[list[Request], list[Row], dict[tuple[str, str], Row]]:
    """Of each blind answer what its verdict says: compared by key or spelling, and by a model where spelling differs."""
    found: dict[tuple[str, str], Row] = {}
    open_answers: dict[tuple[str, str], str] = {}
    for place, (request, reply) in answers.items():
        try:
            key, given = answer_blind.parse(request, answered(reply))
        except Rejected as reason:
            found[place] = {"why": str(reason)}
            continue
        if key is not None:
            found[place] = {"answer_key": key, "agrees": key == case["answer_key"], "method": "match", "why": None}
        elif judge_answers.same_text(case["answer"], given):
            found[place] = {"agrees": True, "method": "match", "why": given}
        else:
            open_answers[place] = given
    asked = {place: judge_answers.request(case, given, model, verify.seed) for place, given in open_answers.items()}
    once = list({request.request_id: request for request in asked.values()}.values())
    replies = yield once
    said = {request.request_id: reply for request, reply in zip(once, replies, strict=True)}
    for place, request in asked.items():
        try:
            agrees, why = judge_answers.parse(answered(said[request.request_id]))
            found[place] = {"agrees": agrees, "method": "model", "why": f"{open_answers[place]}: {why}"}
        except Rejected as reason:
            found[place] = {"why": str(reason)}
    return found


def _verdict(chain: Row, arm: str, *, why: str | None = None, model: Model | None = None) -> Row:
    """A verdict that says nothing yet."""
    return {
        "chain_id": chain["chain_id"],
        "arm": arm,
        "answer_key": None,
        "agrees": None,
        "method": "not_judged",
        "judge_model": model.label if model else None,
        "why": why,
    }
