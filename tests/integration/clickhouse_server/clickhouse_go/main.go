// Asks over HTTP as Grafana's ClickHouse plugin does, and prints each query's rows as JSON, one line for each query.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func main() {
	connection, err := clickhouse.Open(&clickhouse.Options{
		Protocol:    clickhouse.HTTP,
		Addr:        []string{os.Args[1]},
		Auth:        clickhouse.Auth{Database: "default", Username: os.Args[2], Password: os.Args[3]},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
	})
	if err != nil {
		panic(err)
	}
	defer connection.Close()
	if err := connection.Ping(context.Background()); err != nil {
		panic(err)
	}
	for _, query := range os.Args[4:] {
		found, err := rowsOf(connection, query)
		if err != nil {
			found = [][]string{{"error", err.Error()}}
		}
		line, err := json.Marshal(found)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}

func rowsOf(connection clickhouse.Conn, query string) ([][]string, error) {
	rows, err := connection.Query(context.Background(), query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := [][]string{}
	for rows.Next() {
		values := []any{}
		for _, kind := range rows.ColumnTypes() {
			values = append(values, reflect.New(kind.ScanType()).Interface())
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		row := []string{}
		for _, value := range values {
			told := reflect.ValueOf(value).Elem()
			for told.Kind() == reflect.Pointer && !told.IsNil() {
				told = told.Elem()
			}
			row = append(row, fmt.Sprint(told.Interface()))
		}
		found = append(found, row)
	}
	return found, rows.Err()
}
