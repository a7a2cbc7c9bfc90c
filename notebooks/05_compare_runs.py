# Databricks notebook source
# MAGIC %md
# MAGIC # 5 Compare two runs
# MAGIC
# MAGIC Runs on a classic single-user ML cluster that has the wheel (`databricks bundle deploy` puts it there; docs/databricks.md).
# MAGIC Which rows were lost, added or changed between two runs, and why: each an MLflow run id, or a lake's root as it is now. The page is
# MAGIC an artifact of the MLflow run that this makes (docs/comparing.md).

# COMMAND ----------

dbutils.widgets.text("run_a", "", "Run A: MLflow run id, or a lake")
dbutils.widgets.text("run_b", "", "Run B: MLflow run id, or a lake")
dbutils.widgets.text("folder", "/tmp/comparison", "Folder of the page and the JSON")
dbutils.widgets.text("overrides", "tracking.uri=databricks tracking.experiment=/Shared/medreason-ray", "Further key=value, parted by blanks")

# COMMAND ----------

from jobs import compare_runs
from jobs._run import execute

folder = dbutils.widgets.get("folder")
given = [f"{name}={dbutils.widgets.get(name)}" for name in ("run_a", "run_b")]
given += [f"compare.dir={folder}", *dbutils.widgets.get("overrides").split()]
assert execute("compare_runs", compare_runs.main, compare_runs.arguments(given)) == 0

# COMMAND ----------

from pathlib import Path

displayHTML((Path(folder) / "comparison.html").read_text(encoding="utf-8"))

# COMMAND ----------

import json

found = json.loads((Path(folder) / "comparison.json").read_text(encoding="utf-8"))
rows = [(row["question_id"], row["status"], " ".join(row["why"]), " ".join(row["columns"])) for row in found["rows"]]
display(spark.createDataFrame(rows, "question_id string, status string, why string, columns string"))
