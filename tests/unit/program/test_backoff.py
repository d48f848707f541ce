from duplex.supervisor import backoff


def test_delay_doubles_up_to_a_limit() -> None:
    delays = [backoff.delay_s(failures, 0.0) for failures in (1, 2, 3, 10, 100_000)]
    assert delays == [0.5, 1.0, 2.0, 30.0, 30.0]


def test_jitter_takes_up_to_half_away() -> None:
    assert backoff.delay_s(3, 0.999) > 1.0
    assert backoff.delay_s(3, 0.5) == 1.5


def test_a_steady_run_starts_the_count_anew() -> None:
    assert backoff.failures_after(7, ran_s=61) == 1
    assert backoff.failures_after(7, ran_s=3) == 8
