"""The one place of all weights of search and recall."""

# K1 and B are the values that BM25 is published and shipped with everywhere; passages are cut to like lengths,
# so B matters little. A mention in the title or a heading counts as one mention more in each passage below it.
K1 = 1.2
B = 0.75
PLACE_MENTIONS = 1.0

# Search. Meaning and words get an equal say. Neither is tuned: both parts are brought to 0..1 on their own
# absolute scales, and bench/retrieval_quality.py compares the blend with each part and with rank fusion.
MEANING_WEIGHT = 0.5
WORDS_WEIGHT = 0.5
# A passage beside a good one is likelier to be good: an answer spans passages, and a passage may only say "it".
# The better neighbour's own score, at a fifth, closes part of the gap to 1: no passage loses by it.
CONTEXT_WEIGHT = 0.2
# Where lengths were not sampled yet.
USUAL_TOKENS = 120.0

# Recall: what each feature of `recall_ranking` adds to a score at most. They sum to 1. These are set by hand.
UNTUNED_RECALL_WEIGHTS = {
    "meaning": 0.2576,
    "meaning before": 0.0258,
    "meaning after": 0.0258,
    "words": 0.2146,
    "words before": 0.0258,
    "words after": 0.0258,
    "best neighbour": 0.0429,
    "passage": 0.0429,
    "session": 0.0429,
    "speaker": 0.0515,
    "subject": 0.0172,
    "period": 0.0429,
    "dated": 0.0086,
    "substance": 0.0258,
    "recency": 0.05,
    "change": 0.1,
}

# Learned by `python -m bench.evaluation --learn`: a logistic model that tells each answer from the 80 strongest other
# candidates, kept near the untuned blend (penalty 0.03) and free of negative weights, on invented chats (8, with the
# vocabulary for learning) and on two of the four chats written by hand. Judged on the others and on real meetings,
# from which nothing was learned. The shares of `recency` and `change`, which count where a question asks for what
# holds now, are the least that order all but a few updated facts of the chats for learning.
RECALL_WEIGHTS = {
    "meaning": 0.223,
    "meaning before": 0.0244,
    "meaning after": 0.0261,
    "words": 0.1439,
    "words before": 0.0186,
    "words after": 0.0117,
    "best neighbour": 0.0368,
    "passage": 0.0404,
    "session": 0.0698,
    "speaker": 0.0815,
    "subject": 0.0131,
    "period": 0.0454,
    "dated": 0.0348,
    "substance": 0.0805,
    "recency": 0.05,
    "change": 0.1,
}
