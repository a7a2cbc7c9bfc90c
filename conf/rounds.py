"""release.target_rows: how many of the cases are taken, in rounds, until as many rows pass as were asked for.

Cases have their turn in the order of sha256(question_id). A round is generate_chains, verify_chains and assemble_release over
the first cases of that order; whoever stands behind them is NOT_NEEDED. How many the next round takes follows from the target
and from what passed so far (`following`), and what passed so far counts only where the release in the lake is the one that
those cases make under this configuration: its fingerprint is compared with the one that the three steps would give it. So the
rounds of a target are always the same ones, whatever was run, killed or asked for before, and a target that was reached is
found again without a round.

A round at most doubles what was taken, and the first takes no more than the target, so fewer than twice the cases needed are
asked about, however the passes fall.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from conf.config import Config
from conf.fingerprint import fingerprint
from conf.flow import step
from conf.lake import Lake, content
from conf.outcome import ConfigError

STEPS = ("generate_chains", "verify_chains", "assemble_release")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How far a target has come."""

    target: int
    """Rows asked for; 0: all that pass, in one round."""
    cases: int
    taken: int
    """Cases of the last round; 0: there was none."""
    passed: int
    """Questions that passed in it, those beyond the target too."""

    @property
    def open(self) -> bool:
        """Whether another round is needed."""
        return 0 < self.target > self.passed and self.taken < self.cases

    def following(self) -> int:
        """Cases of the next round: those of the last one and what it left to be found, by the share that passed.

        Two standard deviations more are aimed at, for a round costs a start of Spark, Ray and perhaps of a model.
        """
        if not self.taken:
            return min(self.target, self.cases)
        missing = self.target - self.passed
        further = math.ceil((missing + 2 * math.sqrt(missing)) * (self.taken + 1) / (self.passed + 1))
        return min(self.taken + min(further, self.taken), self.cases)


def turn(question_id: str) -> bytes:
    """What the order of questions is by; in Spark sha2(question_id, 256), whose hex digits stand in the same order."""
    return hashlib.sha256(question_id.encode()).digest()


def progress(lake: Lake, config: Config) -> Rounds:
    """How far the target has come in the lake, under this configuration.

    Raises:
        ContractError: a table that the steps read is missing, of another schema version, or torn between two runs.
    """
    target = config.release.target_rows
    cases = lake.checked("cases", reader=STEPS[0]).rows
    none = Rounds(target=target, cases=cases, taken=0, passed=0)
    release = lake.commit("release") if target else None
    if release is None or "taken" not in release.facts:
        return none
    taken, passed = int(release.facts["taken"]), int(release.facts["passed"])
    if release.fingerprint != _release_of(lake, config, taking(config, taken, cases)):
        return none
    return replace(none, taken=taken, passed=passed)


def of_round(lake: Lake, config: Config) -> Config:
    """The configuration of generate_chains: that of the round whose turn it is, or of the last one where none is open.

    Raises:
        ConfigError: chains.first_cases is given beside a target.
    """
    if not config.release.target_rows:
        return config
    if config.chains.first_cases:
        raise ConfigError("chains.first_cases and release.target_rows both say how many cases are taken: give one")
    found = progress(lake, config)
    return taking(config, found.following() if found.open else found.taken, found.cases)


def taking(config: Config, taken: int, cases: int) -> Config:
    """The configuration under which so many cases are taken; all of them are 0, as without a target."""
    return replace(config, chains=replace(config.chains, first_cases=taken if taken < cases else 0))


def _release_of(lake: Lake, config: Config, generating: Config) -> str:
    """The fingerprint of the release that the steps make of the tables as they are now."""
    made: dict[str, str] = {}
    for name in STEPS:
        each = step(name)
        inputs: Mapping[str, str] = {
            table: content(made.get(table) or lake.checked(table, reader=name).fingerprint, _facts(lake, table))
            for table in each.reads
        }
        digest = fingerprint(each, generating if name == STEPS[0] else config, inputs)
        made |= dict.fromkeys(each.writes, digest)
    return made["release"]


def _facts(lake: Lake, table: str) -> Mapping[str, str]:
    commit = lake.commit(table)
    return commit.facts if commit else {}
