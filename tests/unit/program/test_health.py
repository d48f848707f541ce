from duplex.supervisor import health


def beat(loop: str, at_s: float) -> str:
    return f'# TYPE {health.HEARTBEAT} gauge\n{health.HEARTBEAT}{{loop="{loop}"}} {at_s}\n'


def view(metrics: str, name: str = "source crm", alive: bool = True, last_exit: str = "") -> health.View:
    return health.View(name, alive, metrics, last_exit)


def test_healthy_when_every_loop_made_progress_lately() -> None:
    assert health.judge([view(beat("relay", 990.0))], now_s=1000.0).ok


def test_a_stuck_loop_is_named() -> None:
    judged = health.judge([view(beat("relay", 960.0))], now_s=1000.0)
    assert judged.reasons == ("source crm is stuck: its loop relay made no progress for 40 s",)


def test_a_dead_child_is_named_with_its_end() -> None:
    judged = health.judge([view("", alive=False, last_exit="ended with exit code 3")], now_s=0.0)
    assert judged.reasons == ("source crm is not running: ended with exit code 3",)


def test_a_child_is_not_healthy_before_its_first_progress() -> None:
    assert not health.judge([view("")], now_s=0.0).ok
    assert "is starting" in health.judge([view(beat("relay", 0.0))], now_s=1000.0).reasons[0]


def test_metrics_of_children_are_merged_under_a_process_label() -> None:
    text = health.exposition([view(beat("relay", 1.0)), view(beat("relay", 2.0), "source erp")]).decode()
    assert text.count("# TYPE") == 1
    assert f'{health.HEARTBEAT}{{loop="relay",process="source crm"}} 1.0' in text
    assert f'{health.HEARTBEAT}{{loop="relay",process="source erp"}} 2.0' in text


def test_counters_keep_their_name() -> None:
    child = view("# HELP duplex_events_total Events.\n# TYPE duplex_events_total counter\nduplex_events_total 5.0\n")
    assert 'duplex_events_total{process="source crm"} 5.0' in health.exposition([child]).decode()
