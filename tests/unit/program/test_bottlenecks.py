"""Where a pipeline waits, told from backlogs and two looks at the counters."""

from duplex.status.bottlenecks import bottleneck, done, measured, sentence, stages
from duplex.status.facts import Hop, Stage

METRICS = """# TYPE duplex_commands counter
duplex_commands_total{{outcome="applied",process="sink erp",system="erp"}} {applied}
duplex_commands_total{{outcome="failed",process="sink erp",system="erp"}} 10.0
# TYPE duplex_source_events counter
duplex_source_events_total{{process="source crm",system="crm"}} {read}
# TYPE duplex_processor_records counter
duplex_processor_records_total{{process="processors",processor="merge.contact"}} {merged}
# TYPE duplex_other counter
duplex_other_total 5.0
"""


def hop(name: str, behind: int, topic: str = "t") -> Hop:
    return Hop(name, "group", topic, behind, True)


def looked(applied: float, read: float, merged: float):
    return done(METRICS.format(applied=applied, read=read, merged=merged))


def found(*hops: Hop, unpublished: dict | None = None) -> Stage | None:
    before, after = looked(0, 0, 0), looked(200, 4000, 1000)
    return bottleneck(stages(hops, unpublished or {}, before, after, 2.0))


def test_counters_are_summed_over_processes_and_outcomes():
    assert looked(5, 6, 7) == {
        ("duplex_commands_total", "erp"): 15.0,
        ("duplex_source_events_total", "crm"): 6.0,
        ("duplex_processor_records_total", "merge.contact"): 7.0,
    }


def test_stage_with_the_longest_work_is_it_not_the_one_with_the_most_messages():
    assert found(hop("sink erp", 5_000), hop("merge of contact", 9_000)) == Stage("the sink of erp", 5_000, 100.0)


def test_topics_of_one_stage_count_together():
    stage = found(hop("merge of contact", 800, "a"), hop("merge of contact", 700, "b"))
    assert stage == Stage("merge of contact", 1_500, 500.0)


def test_source_counts_what_it_has_not_published():
    assert found(unpublished={"crm": 40_000}) == Stage("the source of crm", 40_000, 2000.0)


def test_what_is_merely_on_its_way_is_no_bottleneck():
    assert found(hop("sink erp", 999), unpublished={"crm": 3}) is None


def test_stage_that_stands_still_comes_before_all():
    stage = found(hop("sink crm", 1_000), hop("sink erp", 50_000))
    assert stage == Stage("the sink of crm", 1_000, 0.0)
    assert sentence(stage) == (
        "The bottleneck is the sink of crm: 1,000 wait for it, and nothing moves. They are kept; see what it waits for."
    )


def test_sentence_says_how_long():
    assert sentence(Stage("the sink of erp", 48_000, 3_000.0)) == (
        "The bottleneck is the sink of erp: 48,000 wait for it, and it does 3,000 a second: about 16 s of work."
    )
    assert sentence(Stage("merge of contact", 600_000, 1_000.0)).endswith("about 10 min of work.")
    assert sentence(Stage("merge of contact", 1_000, 10_000.0)).endswith("about 1 s of work.")


async def test_program_without_a_backlog_is_not_asked():
    assert await measured("http://127.0.0.1:1", [hop("sink erp", 5)], {"crm": 0}) is None
    assert await measured("http://127.0.0.1:1", [], {}) is None


async def test_program_that_does_not_answer_has_no_bottleneck():
    assert await measured("http://127.0.0.1:1", [hop("sink erp", 5_000)], {}) is None


def test_counter_that_begins_anew_is_no_negative_rate():
    assert list(stages([hop("sink erp", 5)], {}, looked(500, 0, 0), looked(3, 0, 0), 1.0)) == [
        Stage("the sink of erp", 5, 0.0)
    ]
