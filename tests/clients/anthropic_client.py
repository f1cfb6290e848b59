"""The official `anthropic` client, unmodified, against ANTHROPIC_BASE_URL with ANTHROPIC_API_KEY.

    python anthropic_client.py [step ...]      one JSON line for each step, in order

Steps: messages stream tool count_tokens models. MODEL in the environment names the model. A refusal is printed
as the client saw it, and is no failure here.
"""

import json
import os
import sys

import anthropic

MODEL = os.environ.get("MODEL", "claude-sonnet-5")
MESSAGES = [{"role": "user", "content": "good morning"}]
TOOL = {"name": "look_up", "input_schema": {"type": "object", "properties": {}}}
client = anthropic.Anthropic(max_retries=0, timeout=30)


def messages():
    raw = client.messages.with_raw_response.create(model=MODEL, max_tokens=64, messages=MESSAGES)
    answer = raw.parse()
    headers = {name: value for name, value in raw.headers.items() if name.startswith("x-")}
    usage = answer.usage.input_tokens + answer.usage.output_tokens
    return {"text": answer.content[0].text, "usage": usage, "headers": headers}


def stream():
    with client.messages.stream(model=MODEL, max_tokens=64, messages=MESSAGES) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    return {"text": text, "usage": final.usage.input_tokens + final.usage.output_tokens, "stop": final.stop_reason}


def tool():
    asked = [{"role": "user", "content": "use the tool"}]
    answer = client.messages.create(model=MODEL, max_tokens=64, messages=asked, tools=[TOOL])
    return {"called": answer.content[0].name, "stop": answer.stop_reason}


def count_tokens():
    return {"tokens": client.messages.count_tokens(model=MODEL, messages=MESSAGES).input_tokens}


def models():
    return {"ids": [model.id for model in client.models.list()]}


STEPS = [messages, stream, tool, count_tokens, models]


def main():
    wanted = sys.argv[1:] or [step.__name__ for step in STEPS]
    steps = {step.__name__: step for step in STEPS}
    for name in wanted:
        try:
            seen = steps[name]()
        except anthropic.APIStatusError as refused:
            body = refused.body if isinstance(refused.body, dict) else {}
            kind = body.get("error", {}).get("type")
            seen = {"status": refused.status_code, "type": kind, "error": type(refused).__name__}
        except anthropic.AnthropicError as failed:
            seen = {"error": type(failed).__name__, "message": str(failed)}
        print(json.dumps({"step": name, **seen}), flush=True)


main()
