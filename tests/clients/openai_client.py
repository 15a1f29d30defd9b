"""Drives a running server with the official OpenAI client: openai_client.py BASE_URL KEY.

Exits with 0 when all is well, 77 when the package is not installed, 1 with the failed check otherwise.
"""

import sys

try:
    import openai
except ImportError:
    sys.exit(77)

BASE_URL, KEY = sys.argv[1], sys.argv[2]
MENU = [{"role": "user", "content": "menu"}]


def refused(kind, code, call):
    """The call must fail with this exception class and code."""
    try:
        call()
    except kind as error:
        assert error.code == code, (error.code, code)
        return error
    raise AssertionError(f"{code}: was not refused")


def main():
    client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

    names = [model.id for model in client.models.list()]
    assert "truetill" in names and "raw" not in names, names
    assert client.models.retrieve("truetill").id == "truetill"
    refused(openai.NotFoundError, "model_not_found", lambda: client.models.retrieve("gpt-4o"))

    whole = client.chat.completions.create(model="truetill", messages=MENU, user="ann")
    message = whole.choices[0].message
    assert message.role == "assistant" and message.content and whole.choices[0].finish_reason == "stop", whole
    extra = whole.model_extra["truetill"]
    assert extra["reply"]["text"] == message.content, extra

    history = [*MENU, message.model_dump(), {"role": "user", "content": "thank you"}]
    second = client.chat.completions.create(model="truetill", messages=history, user="ann")
    assert second.model_extra["truetill"]["session_id"] == extra["session_id"], "the history found no session"

    named = client.chat.completions.create(
        model="truetill", messages=MENU, metadata={"session_id": extra["session_id"]}
    )
    assert named.model_extra["truetill"]["session_id"] == extra["session_id"]

    text, finish, usage = "", None, "absent"
    stream = client.chat.completions.create(
        model="truetill", messages=MENU, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
            finish = chunk.choices[0].finish_reason or finish
        else:
            usage = chunk.usage
    assert text and finish == "stop" and usage != "absent", (text, finish, usage)

    with client.chat.completions.stream(model="truetill", messages=MENU) as events:
        final = [event for event in events][-1:] and events.get_final_completion()
    assert final.choices[0].message.content == text, final

    for chunk in client.chat.completions.create(model="truetill", messages=MENU, stream=True):
        break  # Leaves in the middle.

    embedder = models_embedder(client)
    made = client.embeddings.create(model=embedder, input=["red kettle", "red kettles"])  # asks for base64 by itself
    plain = client.embeddings.create(model=embedder, input="red kettle", encoding_format="float")
    assert len(made.data) == 2 and made.usage.total_tokens > 0, made
    assert max(abs(a - b) for a, b in zip(made.data[0].embedding, plain.data[0].embedding)) < 1e-5

    create = client.chat.completions.create
    error = refused(
        openai.BadRequestError, "unsupported_field", lambda: create(model="truetill", messages=MENU, temperature=0.2)
    )
    assert error.param == "temperature", error
    refused(
        openai.UnprocessableEntityError, "unknown_field",
        lambda: create(model="truetill", messages=MENU, extra_body={"logit_bias": {}}),
    )
    refused(openai.PermissionDeniedError, "admin_only", lambda: create(model="raw", messages=MENU))
    stranger = openai.OpenAI(base_url=BASE_URL, api_key="wrong", max_retries=0)
    refused(openai.AuthenticationError, "unauthorized", lambda: stranger.models.list())
    print(f"openai {openai.__version__}: models, whole, history, stream, early leave and five refusals are right")


def models_embedder(client):
    """The model that is neither the assistant nor the bare one."""
    return next(model.id for model in client.models.list() if model.id not in ("truetill", "raw"))


if __name__ == "__main__":
    main()
