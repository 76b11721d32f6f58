"""Print the decision on each of many questions, one line each; started with several hash seeds."""

import sys

from decision_samples import many_questions
from trust_runtime.contracts.codec import encode_json
from trust_runtime.core.policy.preflight import decide

for question in many_questions():
    sys.stdout.buffer.write(encode_json(decide(*question)) + b"\n")
