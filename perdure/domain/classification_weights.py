"""What classification takes for granted, learnt on the project's own labelled texts and on nothing else.

`python -m bench.evaluation classification --learn` prints these numbers: logistic models on the sets of
`bench/evaluation/classification/learning`, each set with the same weight, so that the largest one decides nothing.
"""

# So many examples of a label say as much about it as its descriptions do.
DESCRIPTION_EXAMPLES = 6.0

# The log-odds that the nearest label is right, by how much nearer it is than the next one. The number of labels
# adds nothing to that; checked on each set with a model that was learnt on the others.
MARGIN_WEIGHT = 27.569
MARGIN_OFFSET = -0.667
# Taken off for a text in a language that the built-in model does not read.
FOREIGN_DOUBT = 1.075

# The log-odds that no label fits, by the likeness to the nearest one and by the logarithm of their number: of many
# labels one is near by chance. Learnt on texts of other domains and on texts whose own label was left out, which
# were one in five.
NONE_LIKENESS_WEIGHT = -13.637
NONE_LABELS_WEIGHT = 1.099
NONE_OFFSET = -0.565

# The log-odds that a label applies where several may, by how much nearer it is than the labels on the average.
APPLIES_WEIGHT = 24.541
APPLIES_OFFSET = -3.03
# A label is said to apply from this probability on, unless whoever asks says another.
APPLIES_FROM = 0.4
