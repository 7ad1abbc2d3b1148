"""The searches alone, against Faiss's, and the opening of a large database."""
import json
import os

from workloads.base import rounded, workload


@workload("exact-search", "exact search of 1,000 descriptors against Faiss's IndexFlatL2")
def exact_search(run):
    rows, file = run.size(1_000_000, 20_000), os.path.join(run.work, "search.json")
    pictures = os.path.dirname(run.setting.sources.generated(run.size(200, 8))[0])
    run.command([run.setting.program("search_bench"), "--workload", "search", "--images", pictures,
                 "--rows", str(rows), "--k", "10", "--queries", str(run.size(1000, 50)),
                 "--rounds", str(run.size(3, 1)), "--json", file])
    with open(file, encoding="utf-8") as results:
        report = json.load(results)
    run.figure("rows", rows, "rows")
    run.figure("IndexFlatL2", rounded(report["results"][0]["faiss_median"]), "s")
    for result in report["results"]:
        run.median(result["variant"], result["seconds"], "s")
        run.median(f"IndexFlatL2 over {result['variant']}", result["ratio_per_round"], "ratio")
    best = max(report["results"], key=lambda result: result["ratio"])
    run.median("IndexFlatL2 over ours", best["ratio_per_round"], "ratio")
    same = all(result["same_answers"] for result in report["results"])
    run.figure("same answers", 100 * same, "%")
    run.note("Both on all cores, Faiss at its best setting of threads. Rows beyond the real ones are "
             "copies with noise.")


@workload("list-search", "search by terms against Faiss's inverted lists, at equal recall")
def list_search(run):
    made = run.setting.sources.database(run.size(1333, 20))
    lists, code = run.size((1024, "PQ64x4fs"), (16, "PQ16x4fs"))
    told = json.loads(run.command(
        [run.setting.program("list_bench"), "--db", made.database, "--images", str(run.size(20, 2)),
         "--rounds", str(run.size(3, 1)), "--keys", f"IVF{lists},Flat;IVF{lists},{code}"]).output)
    ours = told["ours"]
    run.figure("rows", told["rows"], "rows")
    run.figure("queried descriptors", told["queries"], "")
    run.figure(f"recall of {ours['index']}", rounded(100 * ours["recall"], 4), "%")
    run.median(ours["index"], ours["seconds"], "s")
    for theirs in told["faiss"]:
        key = theirs["index"]
        run.figure(f"recall of {key}, nprobe {theirs['nprobe']}", rounded(100 * theirs["recall"], 4), "%")
        run.median(key, theirs["seconds"], "s")
        run.median(f"{key} over {ours['index']}",
                   [b / a for a, b in zip(ours["seconds"], theirs["seconds"])], "ratio")
    run.note("Recall: share of the descriptors that find the one they were made of, by noise of 60 to "
             "130 (L2), among ten rows. Ours votes, too.")


@workload("open", "opening 10,000,000 descriptors")
def open_database(run):
    file = os.path.join(run.work, "open.json")
    rows = run.size(10_000_000, 20_000)
    run.command([run.setting.program("search_bench"), "--workload", "open", "--rows", str(rows),
                 "--rounds", str(run.size(5, 1)), "--work", run.work, "--json", file])
    with open(file, encoding="utf-8") as results:
        opened = json.load(results)["results"][0]
    run.figure("descriptors", rows, "")
    run.median("open", [1000 * each for each in opened["seconds"]], "ms")
    run.figure("the whole process", rounded(1000 * opened["process_median"]), "ms")
    run.figure("own memory", rounded(opened["private_mb"]), "MB")
    run.figure("disk of a descriptor", round(opened["bytes_per_descriptor"], 1), "bytes")


@workload("million", "the search of one picture among a million, simulated")
def million(run):
    made = run.setting.sources.database(run.size(100_000, 40))
    told = json.loads(run.command(
        [run.setting.program("million_bench"), "--db", made.database, "--times", "10",
         "--queries", str(run.size(20, 2))]).output)
    run.figure("rows", told["rows"], "rows")
    run.figure("descriptors of a query", told["descriptors"] // told["queries"], "")
    run.median("search", [1000 * seconds for seconds in told["seconds"]], "ms")
    run.figure("queries whose image comes first", 100 * told["first"] / told["queries"], "%")
    run.figure("terms", round(told["terms_bytes"] / 1e9, 2), "GB")
    run.note("Nine of ten terms are synthetic, and the segments are those of the tenth, in the page "
             "cache; without verification. Of a process that has searched before.")
