"""The official `openai` client, unmodified, against OPENAI_BASE_URL with OPENAI_API_KEY.

    python openai_client.py [step ...]      one JSON line for each step, in order

Steps: chat stream stream_usage tool embeddings models responses responses_stream. MODEL and
EMBEDDING_MODEL in the environment name the models. A refusal is printed as the client saw it, and is no failure here.
"""

import json
import os
import sys

import openai

MODEL = os.environ.get("MODEL", "gpt-4o")
EMBEDDING_MODEL = os.environ.get("EMBEDDING_MODEL", "text-embedding-3-small")
MESSAGES = [{"role": "user", "content": "good morning"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
client = openai.OpenAI(max_retries=0, timeout=30)


def chat():
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    answer = raw.parse()
    headers = {name: value for name, value in raw.headers.items() if name.startswith("x-")}
    return {"text": answer.choices[0].message.content, "usage": answer.usage.total_tokens, "headers": headers}


def stream(**options):
    text, usage, chunks = "", None, 0
    for chunk in client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, **options):
        chunks += 1
        usage = chunk.usage.total_tokens if chunk.usage else usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    return {"text": text, "chunks": chunks, "usage": usage}


def stream_usage():
    return stream(stream_options={"include_usage": True})


def tool():
    messages = [{"role": "user", "content": "use the tool"}]
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL])
    return {"called": answer.choices[0].message.tool_calls[0].function.name}


def embeddings():
    answer = client.embeddings.create(model=EMBEDDING_MODEL, input=["one", "two words"])
    floats = client.embeddings.create(model=EMBEDDING_MODEL, input=["one", "two words"], encoding_format="float")
    same = [row.embedding for row in answer.data] == [row.embedding for row in floats.data]
    return {"rows": len(answer.data), "same_as_floats": same, "usage": answer.usage.total_tokens}


def models():
    return {"ids": [model.id for model in client.models.list()]}


def responses():
    answer = client.responses.create(model=MODEL, input="good morning")
    return {"text": answer.output_text, "usage": answer.usage.total_tokens}


def responses_stream():
    events = list(client.responses.create(model=MODEL, input="good morning", stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    return {"text": text, "last": events[-1].type, "usage": events[-1].response.usage.total_tokens}


STEPS = [chat, stream, stream_usage, tool, embeddings, models, responses, responses_stream]


def main():
    wanted = sys.argv[1:] or [step.__name__ for step in STEPS]
    steps = {step.__name__: step for step in STEPS}
    for name in wanted:
        try:
            seen = steps[name]()
        except openai.APIStatusError as refused:
            seen = {"status": refused.status_code, "code": refused.code, "error": type(refused).__name__}
        except openai.OpenAIError as failed:
            seen = {"error": type(failed).__name__, "message": str(failed)}
        print(json.dumps({"step": name, **seen}), flush=True)


main()
