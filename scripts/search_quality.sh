#!/bin/sh
# Lexical, vector and hybrid search side by side over the rated queries, their translations and misspelt titles.
# When: after a change to search. Needs an index of the rated catalog and a built truetill; writes only below OUT.
#   TRUETILL__PATHS__INDEX=INDEX scripts/search_quality.sh DATA OUT [path/to/truetill]
# DATA holds search_chorus_products.tsv and search_chorus_ratings.tsv; with rag_tau2_bank_docs.jsonl and rag_tau2_bank_tasks.jsonl
# the documents that 97 customers' cases need are looked for too, in an index of their own below OUT.
set -eu
data=$1 out=$2 truetill=${3:-target/release/truetill}
here=$(dirname "$0")
mkdir -p "$out"
ratings=$data/search_chorus_ratings.tsv products=$data/search_chorus_products.tsv
python3 "$here/ndcg.py" queries "$ratings" "$out/rated.tsv"
python3 "$here/misspelt.py" queries "$products" "$out/misspelt.tsv" --count "${MISSPELT:-1000}"
for language in en ru sk zh; do
  python3 "$here/ndcg.py" translated "$ratings" "$out/$language.tsv" --words "$here/../data/eval/search_translated.tsv" --language $language
done
for mode in lexical vector hybrid; do
  "$truetill" search --queries "$out/rated.tsv" --run "$out/rated.$mode" --mode $mode > "$out/rated.$mode.log"
  for split in odd even; do
    echo "$mode $split: $(python3 "$here/ndcg.py" score "$ratings" "$out/rated.$mode" --split $split)"
  done
done
for language in en ru sk zh; do
  "$truetill" search --queries "$out/$language.tsv" --run "$out/$language.run" > "$out/$language.log"
  echo "hybrid $language: $(python3 "$here/ndcg.py" score "$ratings" "$out/$language.run" --asked "$out/$language.tsv")"
done
"$truetill" search --queries "$out/misspelt.tsv" --run "$out/misspelt.run" --k 3 > "$out/misspelt.log"
python3 "$here/misspelt.py" score "$products" "$out/misspelt.run"
if [ -f "$data/rag_tau2_bank_docs.jsonl" ]; then
  python3 "$here/policy_recall.py" folder "$data/rag_tau2_bank_docs.jsonl" "$out/policies"
  python3 "$here/policy_recall.py" queries "$data/rag_tau2_bank_tasks.jsonl" "$out/cases.tsv"
  export TRUETILL__PATHS__INDEX="$out/policies.index"
  "$truetill" index --catalog "$here/../data/catalog" --policies "$out/policies" > "$out/policies.log" || test $? -eq 3
  for mode in lexical vector hybrid; do
    "$truetill" search --policies --queries "$out/cases.tsv" --run "$out/cases.$mode" --mode $mode --k 50 > "$out/cases.$mode.log"
    echo "$mode policies: $(python3 "$here/policy_recall.py" score "$data/rag_tau2_bank_tasks.jsonl" "$out/cases.$mode")"
  done
fi
