"""This will name every address that one program calls on another."""

API = "/api/v1"
AGENT_API = "/api/agent/v1"

AGENT_ENROL = f"{AGENT_API}/enrol"
AGENT_SYNC = f"{AGENT_API}/sync"
#: GET: a job's input
AGENT_BLOB = f"{AGENT_API}/blobs/{{digest}}"
#: PUT: what a job left; the same again is fine
AGENT_PLACEMENT_BLOB = f"{AGENT_API}/placements/{{placement_id}}/blobs/{{digest}}"
#: POST: the end of what its container said
AGENT_PLACEMENT_LOG = f"{AGENT_API}/placements/{{placement_id}}/log"

VALIDATOR_REGISTER = f"{API}/validator/register"
VALIDATOR_TARGETS = f"{API}/validator/targets"
VALIDATOR_VERDICTS = f"{API}/validator/verdicts"
VALIDATOR_EPOCH = f"{API}/validator/epochs/current"
VALIDATOR_SCORES = f"{API}/validator/scores"
VALIDATOR_PROOFS = f"{API}/validator/rental-proofs"
VALIDATOR_PROOF_CLAIM = f"{API}/validator/rental-proofs/{{proof_id}}/claim"
VALIDATOR_PROOF_LINES = f"{API}/validator/rental-proofs/{{proof_id}}/lines"
VALIDATOR_PROOF_REPORTS = f"{API}/validator/rental-proofs/reports"

#: anyone may read these: a closed epoch's record, byte for byte; the signed reports on it; and what
#: a machine's part of it was computed from. ``epoch`` may be ``newest`` in SCORES and the record's.
SCORES = f"{API}/scores/{{epoch}}"
SCORES_RECORD = f"{API}/scores/{{epoch}}/record"
SCORES_REPORTS = f"{API}/scores/{{epoch}}/reports"
SCORES_REPORT = f"{API}/scores/{{epoch}}/reports/{{number}}"
SCORES_EVIDENCE = f"{API}/scores/{{epoch}}/machines/{{machine_id}}/evidence"

#: headers of a request signed by a machine
HEADER_MACHINE = "X-Berth-Machine"
HEADER_SENT_AT = "X-Berth-Sent-At-Ms"
HEADER_SIGNATURE = "X-Berth-Signature"
#: sha256 of the body in hex, which the signature holds: of a long sync it tells who sends it before
#: it is read
HEADER_DIGEST = "X-Berth-Digest"
