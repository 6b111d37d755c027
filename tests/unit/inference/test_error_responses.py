"""The error that an error response of a server is mapped to."""

from typing import Any

import pytest

from inference.error_responses import error_in_event, error_of_status, parse_retry_after
from inference.model_errors import ModelLoading

LOADING = {"error": "Model X is currently loading", "estimated_time": 20.0}


@pytest.mark.parametrize(
    ("status", "document", "code"),
    [
        (503, LOADING, "model.loading"),
        (503, {"error": {"code": 503, "message": "Loading model"}}, "model.loading"),
        (503, {"error": ["Model X is currently loading"]}, "model.loading"),
        (503, [LOADING], "model.loading"),
        (503, {"error": "Model is overloaded"}, "model.overloaded"),
        (503, None, "model.unavailable"),
        (503, {"error": "Service Unavailable"}, "model.unavailable"),
        (429, {"error": "Model is overloaded", "error_type": "overloaded"}, "model.overloaded"),
        (429, None, "model.overloaded"),
        (424, {"error": "CUDA", "error_type": "generation"}, "model.unavailable"),
        (500, {"error": "loading the image failed"}, "model.unavailable"),
        (502, "<html>", "model.unavailable"),
        (504, None, "model.unavailable"),
        (401, {"error": "Invalid token"}, "model.unauthorized"),
        (403, {"error": {"message": "no"}}, "model.unauthorized"),
        (408, None, "model.timeout"),
        *((status, None, "model.rejected") for status in (400, 402, 404, 405, 410, 413, 422)),
        (400, {"error": "rate limit of loading"}, "model.rejected"),
        *((status, None, "model.rejected") for status in (301, 302, 307, 308)),
        *((status, None, "model.bad_reply") for status in (201, 204, 206)),
    ],
)
def test_a_status_and_a_body_map_to_a_code(status: int, document: Any, code: str) -> None:
    assert error_of_status(status, document).code == code


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": "CUDA out of memory", "error_type": "generation"}, "model.unavailable"),
        ({"error": ["first", "second"]}, "model.unavailable"),
        ({"error": {"message": "oops", "code": None}}, "model.unavailable"),
        ([{"error": "x"}], "model.unavailable"),
        ({"error": "too long", "error_type": "validation"}, "model.rejected"),
        ({"error": {"message": "x", "type": "invalid_request_error"}}, "model.rejected"),
        ({"error": {"message": "x", "code": 400}}, "model.rejected"),
        ({"error": {"message": "x", "code": 401}}, "model.unauthorized"),
        ({"error": "x", "error_type": "overloaded"}, "model.overloaded"),
        ({"error": True}, "model.unavailable"),
        (LOADING, "model.loading"),
    ],
)
def test_an_error_event_maps_to_a_code(document: Any, code: str) -> None:
    failure = error_in_event(document)
    assert failure is not None
    assert failure.code == code


@pytest.mark.parametrize(
    "document", [{}, {"error": None}, {"error": ""}, [], [[]], "error", 3, None]
)
def test_a_document_without_an_error_is_no_failure(document: Any) -> None:
    assert error_in_event(document) is None


@pytest.mark.parametrize(
    ("estimate", "estimated_s"),
    [(20.0, 20.0), (3, 3.0), (-1, None), ("20", None), (True, None), (float("nan"), None)],
)
def test_an_estimate_that_is_not_a_duration_is_ignored(
    estimate: Any, estimated_s: float | None
) -> None:
    failure = error_of_status(503, {"error": "currently loading", "estimated_time": estimate})
    assert isinstance(failure, ModelLoading)
    assert failure.estimated_time_s == estimated_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now_s=100.0) == seconds


def test_retry_after_is_set_on_the_error() -> None:
    assert error_of_status(429, None, 7.0).retry_after_s == 7.0
    assert error_of_status(503, None, 7.0).retry_after_s == 7.0


def openai(**fields: Any) -> Any:
    return {"error": {"message": "about Ada's secret", "param": None, **fields}}


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        # vLLM, now and before 0.10
        (404, openai(type="NotFoundError", code=404), "404 NotFoundError"),
        (
            400,
            {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400},
            "400 BadRequestError",
        ),
        # OpenAI
        (
            400,
            openai(type="invalid_request_error", code="context_length_exceeded"),
            "400 invalid_request_error context_length_exceeded",
        ),
        # llama.cpp
        (400, openai(type="exceed_context_size_error", code=400), "400 exceed_context_size_error"),
        # text-generation-inference
        (422, {"error": "`inputs` has 9 tokens", "error_type": "validation"}, "422 validation"),
        # Hugging Face
        (404, {"error": "Model Ada/secret does not exist"}, "404"),
        (400, {"error": ["Ada's", "secret"]}, "400"),
        (401, {"error": "invalid_token"}, "401 invalid_token"),
        (302, None, "302"),
        (404, "<html>", "404"),
    ],
)
def test_the_reason_is_the_status_and_the_names_of_the_error(
    status: int, document: Any, reason: str
) -> None:
    assert error_of_status(status, document).reason == reason


@pytest.mark.parametrize(
    "name", ["my secret", "secret\n", "hf_Ab12", "x" * 41, "secret!", "", "_", 7, None, ["a_b"], {}]
)
def test_what_is_not_a_name_is_no_reason(name: Any) -> None:
    assert error_of_status(400, openai(type=name, code=name)).reason == "400"
    assert error_of_status(400, {"error": name or "x", "error_type": name}).reason == "400"


def test_an_error_event_has_a_reason_without_a_status() -> None:
    error = error_in_event(openai(type="invalid_request_error", code=None))
    assert error is not None
    assert error.reason == "invalid_request_error"
