"""D5's listings: each defect by a smallest example, and the same behaviour in Keras."""

import os

import numpy as np
import pandas as pd
import pytest
import torch

from promo_repro.demand import listing as li

os.environ["KERAS_BACKEND"] = "torch"


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


@pytest.fixture
def table(rng):
    time = pd.date_range("2017-02-27", periods=900, freq="h")
    hour = time.hour.to_numpy()
    sales = rng.poisson(20 + 15 * np.sin(2 * np.pi * hour / 24)).astype(float)
    return pd.DataFrame({"time": time, "date": time.normalize(), "sales": sales})


def printed_keras(keras, columns):
    inputs = keras.layers.Input(shape=(columns, 1))
    states = keras.layers.LSTM(li.UNITS, return_sequences=True)(inputs)
    outputs = keras.layers.Dense(1)(keras.layers.Dropout(li.RATE)(states))
    return keras.Model(inputs, outputs)


def test_shapes_and_parameters_equal_keras(keras):
    model = printed_keras(keras, 3)
    assert model.count_params() == li.parameter_count(64) == li.counted_parameters(64) == 16_961
    assert li.output_shape(5, 3) == (5, *model.output_shape[1:]) == (5, 3, 1)
    assert li.one_step_shape(5, 3) == (5, 1)
    assert li.parameter_count(2, 3) == 4 * 2 * 6 + 3
    assert li.counted_parameters(5) == li.parameter_count(5)
    for bad in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least one"):
            li.parameter_count(*bad)
    assert li.parameter_count(1, 1) == 14


def test_keras_trains_the_printed_layout_without_complaint(keras):
    model = printed_keras(keras, 3)
    model.compile(optimizer="adam", loss="mse")
    x = np.random.default_rng(0).random((40, 3), dtype=np.float32)
    squeezed = model(torch.as_tensor(x[:-1, :, None])).detach().cpu().numpy()[..., 0]
    # The last axis is dropped: column j of this row is to give column j of the next.
    loss = keras.losses.MeanSquaredError()(x[1:], squeezed[..., None])
    assert float(loss) == pytest.approx(((squeezed - x[1:]) ** 2).mean(), rel=1e-5)
    with pytest.raises(ValueError, match="cardinality"):
        model.fit(x, x[1:], verbose=0)
    with pytest.raises(AttributeError, match="predict"):
        keras.metrics.MeanAbsoluteError().predict([1, 2])


def test_net_layers(keras):
    names = ("Recurrent", "Dropout", "Linear")
    assert li.layer_kinds(li.PrintedNet(torch.Generator())) == names
    kinds = [type(layer).__name__ for layer in printed_keras(keras, 3).layers]
    assert kinds == ["InputLayer", "LSTM", "Dropout", "Dense"]


def test_the_generator_alone_decides_where_the_net_starts():
    first, again = (li.influence(8, 3, "columns") for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_history_has_no_weight_as_printed():
    assert li.weight_of_history() == 0
    assert li.weight_of_history(layout="rows") > 0.3
    assert li.weight_of_later_columns() == 0
    assert li.weight_of_later_columns(4, 2) == 0
    assert (li.influence()[-1] > 0).all()
    with pytest.raises(ValueError, match="layout is 'both'"):
        li.influence(layout="both")


def test_rows_and_cuts():
    assert li.alignment(10) == 1
    assert li.alignment(10, 3) == 3
    assert li.rows_after_cuts(10) == 8
    assert li.future_share([1, 2, 3, 4], 2) == 0
    assert li.future_share([4, 1, 3, 2], 2) == 0.5
    for split in (0, 4):
        with pytest.raises(ValueError, match="leaves no test rows"):
            li.future_share([1, 2, 3, 4], split)


def test_scaled_moments_equal_the_scaler(rng):
    values = rng.normal(5, 3, 50)
    assert li.scaled_moments(values) == pytest.approx(li.moments_after_scaler(values))
    assert li.scaled_moments([0, 4]) == (0.5, 0.5)
    with pytest.raises(ValueError, match="all values are equal"):
        li.scaled_moments([2, 2])


def test_scaling_twice_is_not_undone_by_scaling_back_once(rng):
    values = rng.uniform(100, 300, 50)
    assert li.round_trip_error(values, 1) == pytest.approx(0, abs=1e-9)
    twice = (values - values.min()) / np.ptp(values)
    assert li.round_trip_error(values, 2) == pytest.approx(np.abs(twice - values).mean())


def test_errors_of_mixed_columns():
    actual, forecast = [[10, 3], [20, 4]], [[14, 3], [20, 3]]
    assert li.mixed_error(actual, forecast) == 1.25
    assert li.target_error(actual, forecast) == 2


def test_dropout_and_adam():
    dropped, mean = li.share_dropped(0.2)
    assert dropped == pytest.approx(0.2, abs=0.005)
    assert mean == pytest.approx(1, abs=0.005)
    assert li.adam_first_step(0.001) == pytest.approx(0.001, rel=1e-6)
    assert li.adam_first_step(0.01, -40.0) == pytest.approx(0.01, rel=1e-6)


def test_names_and_statements():
    assert li.undefined_names({"a", "b"}, ["b"]) == ("a",)
    assert li.undefined_names(["b"], {"b", "c"}) == ()
    assert li.statements(li.RunningError) == 7


def test_work_by_hand():
    assert li.training_work(10, 3, 2, 5) == 3 * 5 * 10 * 3 * 4 * 2 * 3
    assert li.training_work(1, 1, 1, 1) == 24
    assert li.ridge_work(10, 3) == 99
    assert li.ridge_work(1, 1) == 2
    assert li.ridge_work(10, 2) == 43
    assert li.work_ratio(10, 3, 2, 5, 3) == 10_800 / 99
    assert li.training_work(10, 3, 2, 5, 7) == 3 * 5 * 10 * 3 * 4 * 2 * 9
    for bad in ((0, 1, 1, 1), (1, 1, 1, 0), (1, 1, 1, 1, 0)):
        with pytest.raises(ValueError, match="at least one"):
            li.training_work(*bad)
    with pytest.raises(ValueError, match="at least one"):
        li.ridge_work(0, 1)


def test_labels_teach_the_past_and_rewards_the_best():
    shares, rewards = [0.7, 0.2, 0.1], [0.0, 1.0, 5.0]
    assert li.taught_policy(shares, rewards, "labels") == pytest.approx(shares, abs=1e-3)
    assert li.taught_policy(shares, rewards[::-1], "labels") == pytest.approx(shares, abs=1e-3)
    assert li.taught_policy(shares, rewards, "reward")[2] > 0.99
    with pytest.raises(ValueError, match="by is 'hope'"):
        li.taught_policy(shares, rewards, "hope")


def test_the_program_fails_step_by_step(table):
    assert li.first_failure(table) == "scale: ValueError"
    assert li.first_failure(table, ["time features"]) == "second training: ValueError"
    assert li.first_failure(table, li.REPAIRS[:2]) == "scale back: ValueError"
    assert li.first_failure(table, li.REPAIRS[:3]) == "metric: AttributeError"
    assert li.first_failure(table, li.REPAIRS[:3], faq=True) == "metric: TypeError"
    assert li.first_failure(table, li.REPAIRS) == "runs"
    assert li.first_failure(table, li.REPAIRS, faq=True) == "runs"
    assert li.repairs_needed(table) == 4
    assert li.repairs_needed(table, li.REPAIRS[:3]) == 1
    assert li.steps_passed(table) == 2
    assert li.steps_passed(table, li.REPAIRS) == len(li.PROGRAM)


def test_a_table_without_a_date_or_with_text_cannot_be_prepared(table):
    without = table.drop(columns="date")
    assert li.first_failure(without, li.REPAIRS) == "time features: KeyError"
    with pytest.raises(ValueError, match="fails even when mended"):
        li.repairs_needed(without)
    text = table.assign(shop="north")
    assert li.first_failure(text, li.REPAIRS) == "scale: ValueError"


def test_mended_beats_printed_where_history_matters(table):
    naive = li.hourly_errors(table, li.hourly_naive(table, 24), block=20)
    assert naive.shape == (5, 20)
    assert naive[0, 0] == abs(table["sales"][800] - table["sales"][776])
    mended = li.mended_forecast(table, context=8, epochs=6, units=8)
    printed = li.printed_forecast(table, epochs=6, units=8)
    assert mended.shape == printed.shape == (100,)
    errors = [li.hourly_errors(table, f, 20).mean() for f in (mended, printed)]
    assert errors[0] < errors[1]


def test_mended_forecast_does_not_see_the_hour_it_forecasts(table):
    moved = table.copy()
    moved.loc[899, "sales"] *= 3
    a, b = (li.mended_forecast(t, context=6, epochs=1, units=4) for t in (table, moved))
    np.testing.assert_array_equal(a, b)
